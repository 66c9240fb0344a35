"""Tests of world.patch() and its parts."""
