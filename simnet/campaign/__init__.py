"""Campaigns: exploring with many seeds in many processes, kept in a file, and gone on with later.

setup.py says what is explored, work.py runs seeds, children.py does so in processes of their own,
and executors.py has what drives these, here or on a Dask cluster (cluster.py; each is a crew.py).
campaign.py hands out the seeds (seeds.py) and gathers what became of them; store.py keeps it,
summary.py and html.py tell it, and progress.py shows how far it is.
"""
