"""Analyses as durable jobs.

queue.py       the web side: submit, cancel, delete, tidy, reconcile
feed.py        wakes those who watch a clip
supervisor.py  keeps one worker process alive
worker.py      that process
workflow.py    the only module that knows DBOS's names for our work
task.py        what a job does; knows no engine
cuts.py        the web side of cuts: ask for one, read what came of it
cut_task.py    what the job of a cut does
films.py       the web side of films
film_task.py   what the job of a film does
"""
