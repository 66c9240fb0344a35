"""Campaigns: no seed is lost and none counted twice, whatever ends meanwhile."""
