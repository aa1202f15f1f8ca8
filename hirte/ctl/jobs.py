"""The verbs about jobs that are under way, whoever asked for them."""

from __future__ import annotations

from hirte.client.errors import CallError
from hirte.client.session import UNKNOWN_OBJECT
from hirte.ctl.exits import DONE, UNKNOWN, USAGE, Failure
from hirte.ctl.targets import configured_nodes
from hirte.ctl.text import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.ctl.request import Request

_JOBS = "`{program} jobs` lists the jobs that are under way"
_TITLES = ("JOB", "NODE", "UNIT", "TYPE", "STATE")


def jobs(request: Request) -> int:
    """List the jobs of all nodes, or of nodes."""
    listed = request.manager.list_jobs()
    if request.words:
        nodes = [node.name for node in configured_nodes(request, request.words[0])]
        listed = [job for job in listed if job.node in nodes]
    rows = [(job.id, job.node, job.unit, job.type, job.state) for job in listed]
    if request.is_json:
        keys = [title.lower() for title in _TITLES]
        request.dump([dict(zip(keys, row)) for row in rows])
    else:
        request.show(_TITLES, [(str(number), *rest) for number, *rest in rows])
        request.legend(f"{counted(len(rows), 'job')} listed.")
    return DONE


def cancel(request: Request) -> int:
    """Ask for the end of jobs, by their numbers."""
    code = DONE
    for word in request.words:
        if not word.isdecimal():
            raise Failure(f"'{word}' is not the number of a job", USAGE)
    for word in request.words:
        path = f"{request.manager.path}/job/{int(word)}"
        try:
            job = request.manager.job(path)
            job.cancel()
        except CallError as error:
            if error.name != UNKNOWN_OBJECT:
                raise
            request.complain(f"there is no job {word}; it may have ended", _JOBS)
            code = UNKNOWN
            continue
        told = {"job": job.id, "node": job.node, "units": [job.unit], "type": job.job_type}
        if request.is_json:
            request.dump({**told, "verb": "cancel", "result": "asked"})
        elif not request.has("quiet"):
            request.say(f"{job.node} {job.unit} {job.job_type}: asked to end")
    return code
