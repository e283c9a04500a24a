"""Random worlds, sealed from their journals, verified from a folder and replayed from closed days:
all say the same.
"""

import json

import pytest

from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.closed_replay import replay_closed
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.verifier.verification import verify
from falcon_balances.domain.counting import COUNTERS
from falcon_balances.domain.manifests import FOLDER
from generated.logs import write
from lambdas.sealer.sealing import seal_new
from tests.audit.closed import closed, write_page
from tests.component.buckets import LOG, MANIFESTS
from tests.component.world import utc
from tests.property import test_worlds

OBJECTS_A_MANIFEST = 150


@pytest.fixture(params=range(20, 23))
def world(request):
    """Its events are counted on two days."""
    return test_worlds.counted(request.param, days=2)


@pytest.fixture
def sealed(world, buckets):
    """A folder with the log and the manifests that the sealer made of the world's journal."""
    buckets.store, buckets.journal = world.store, world.places.journal
    objects = {key: logged.body for key, logged in world.log.objects.items()}
    log = buckets.folder / "log"
    log.mkdir()
    write(objects, log)
    run = seal_new(LOG, buckets.ports, objects_max=OBJECTS_A_MANIFEST, has_time=lambda: True)
    assert (run.objects, run.left) == (len(objects), 0)
    assert len(run.manifests) > len(objects) // OBJECTS_A_MANIFEST // 2
    (buckets.folder / FOLDER).mkdir()
    for key in run.manifests:
        body = buckets.s3.get_object(Bucket=MANIFESTS, Key=key)["Body"].read()
        (buckets.folder / key).write_bytes(body)
    versions = [
        {"Key": key, "VersionId": logged.version_id} for key, logged in world.log.objects.items()
    ]
    (buckets.folder / "versions.json").write_text(json.dumps({"Versions": versions}))
    return buckets


def test_sealed_verified_and_replayed_from_closed_days_they_are_the_same(world, sealed, tmp_path):
    log = sealed.folder / "log"
    done = verify(
        log, sealed.folder / FOLDER, sealed.public_key, versions=sealed.folder / "versions.json"
    )
    assert done.problems == []
    for name, body in world.places.journal.objects.items():
        write_page(tmp_path, name, body)
    closed(tmp_path, world.store.journaled, utc("2026-03-07T01:00:00"))
    of_days = replay_closed(tmp_path / "closed", Selection())
    of_log = replay(LogFolder(log), Selection())
    assert (of_days.sums, of_days.agreements) == (of_log.sums, of_log.agreements)
    assert (of_days.lines, list(of_days.findings)) == (of_log.lines, [])
    verified = {
        BalanceId(*(str(each[name]) for name in BalanceId._fields)): each for each in done.balances
    }
    replayed = balances_of(of_days.sums, of_days.agreements)
    assert verified.keys() == replayed.keys()
    for key, balance in replayed.items():
        said = {name: int(str(verified[key][name]).replace(".", "")) for name in COUNTERS}
        assert said == {name: getattr(balance, name) for name in COUNTERS}
