"""Analyses as durable jobs.

queue.py       the web side: submit, cancel, delete, tidy, reconcile
feed.py        wakes those who watch a clip
supervisor.py  keeps one worker process alive
worker.py      that process, or one by itself
heartbeat.py   workers by themselves: who lives, whose jobs to take over
workflow.py    the only module that knows DBOS's names for our work
task.py        what a job does; knows no engine
errands.py     other wishes of a clip's reader: their files, and the web side that asks, reads and cancels
errand_task.py what the job of any errand does around its work
cuts.py        cuts as errands: what is asked, what came of it
cut_task.py    the work of a cut
films.py       films as errands
film_task.py   the work of a film
"""
