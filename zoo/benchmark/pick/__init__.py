"""From a folder of normal images and a budget to an exported model: tries, estimates, chooses."""
