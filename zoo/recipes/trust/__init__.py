"""Trust: what a recipe or a run folder of a stranger may name, and a checkpoint may hold.

SECURITY.md describes what is checked and what is not.
"""

from zoo.recipes.trust.checks import check_checkpoint, check_recipe, is_trusting, trusting

__all__ = ["check_checkpoint", "check_recipe", "is_trusting", "trusting"]
