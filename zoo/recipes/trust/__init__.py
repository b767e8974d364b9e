"""Trust: what a recipe or a run folder of a stranger may name, and a checkpoint may hold.

Building what a recipe names is running it. So there is one way in: one bounded reader reads a file
(`zoo.utils.plain_yaml`), its plain data is checked against a list of classes (`allowed`, `recipe`),
and the same text goes to a parser that can import nothing else (`parser`). SECURITY.md says what
that stops and what it does not.

What a person types is the person's own; `--trust` opens the door for those who have looked.
"""

from zoo.recipes.trust.checkpoints import check_checkpoint
from zoo.recipes.trust.recipe import check_recipe
from zoo.recipes.trust.switch import is_trusting, trusting

__all__ = ["check_checkpoint", "check_recipe", "is_trusting", "trusting"]
