"""`world.patch()`: unmodified code on a simulated network.

places.py finds the references that modules hold, twins.py says what is put there, c_methods.py
reaches objects that were made earlier, guards.py refuses what would reach the real system, and
patch.py puts them in force together.
"""
