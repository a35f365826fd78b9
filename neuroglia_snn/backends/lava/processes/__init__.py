"""Processes for users of Lava. Lava's compiler executes every file of this folder: nothing else is here."""
