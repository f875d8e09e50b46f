"""Jobs: taken once, followed, ended or cancelled."""

from sqlalchemy import select

from gptwright.store.database import Store
from gptwright.store.jobs import add_job, cancel_job, end_job, report_job, take_job
from gptwright.store.tables import Job


def test_from_waiting_to_its_end(store: Store) -> None:
    with store.write() as session:
        first, second, third = (add_job(session, "improve", {"minutes": i}, owner="anna") for i in range(3))
        add_job(session, "export", {})
    with store.write() as session:
        taken = [take_job(session, ["improve"]) for _ in range(2)]
        assert [job.id for job in taken if job] == [first.id, second.id]
        assert report_job(session, first.id, {"step": 3}) and end_job(session, first.id, "done", {"share": 0.8})
        assert not end_job(session, first.id, "failed", {}) and not cancel_job(session, first.id)
        assert cancel_job(session, second.id) and not report_job(session, second.id, {"step": 1})
        assert cancel_job(session, third.id) and take_job(session, ["improve"]) is None
    with store.read() as session:
        jobs = session.scalars(select(Job).where(Job.kind == "improve").order_by(Job.number)).all()
        assert [(job.state, job.asked, job.progress, job.result) for job in jobs] == [
            ("done", {"minutes": 0}, {"step": 3}, {"share": 0.8}),
            ("cancelled", {"minutes": 1}, {}, {}),
            ("cancelled", {"minutes": 2}, {}, {}),
        ]
