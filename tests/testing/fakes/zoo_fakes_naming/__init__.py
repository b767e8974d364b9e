"""Methods that know an object of a data set, in code and in a recipe beside it."""

from zoo_fakes.sound import FakeMean


class Routed(FakeMean):
    def setting(self, category):
        """Return a setting for one object; can is a word of this sentence, and not a literal."""
        return {"Fruit Jelly": 1, "grid": 2}.get(category, 3)
