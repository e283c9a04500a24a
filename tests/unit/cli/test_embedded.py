"""The parts of the embedded AWS that need no emulator: processes, folder, assembly, packages."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile

import pytest

from falcon_balances.cli import environment
from falcon_balances.cli.embedded import assembly, deployment, process, stack
from falcon_balances.cli.embedded.home import Home
from falcon_balances.cli.errors import AwsError


def remember(home, pid, identity):
    home.create()
    home.pid_file.write_text(json.dumps({"pid": pid, "identity": identity, "port": 1}))


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_process_is_known_again_by_its_start():
    time.sleep(0.05)  # the kernel counts starts in hundredths of a second
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        assert process.identity_of(later.pid) == process.identity_of(later.pid)
        assert process.identity_of(later.pid) != process.identity_of(os.getpid())
        later.communicate(b"\n")


def test_a_process_that_waits_to_be_reaped_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process.identity_of(child.pid) is None
    child.wait()


def test_an_empty_home_says_how_to_start(tmp_path):
    status = stack.look(Home(tmp_path / "home"))
    assert (status.up, status.problem) == (False, "no embedded AWS is running: run falcon local up")


def test_a_killed_emulator_is_told_from_one_that_was_never_started(tmp_path, ended):
    remember(Home(tmp_path), ended, "then")
    assert f"stale, process {ended} is gone" in stack.look(Home(tmp_path)).problem


def test_another_program_under_the_same_number_is_recognised_and_left_alone(tmp_path):
    remember(Home(tmp_path), os.getpid(), "another boot")
    assert "is now another program" in stack.look(Home(tmp_path)).problem
    assert stack.take_down(Home(tmp_path))  # would end this very test run
    assert not Home(tmp_path).pid_file.exists()


@pytest.mark.parametrize("content", ["", "12", "{}", "[1]", '{"pid": 1}'])
def test_a_pid_file_that_makes_no_sense_is_no_emulator(tmp_path, content):
    Home(tmp_path).pid_file.write_text(content)
    assert process.read(Home(tmp_path)) is None


def test_one_writer_at_a_time(tmp_path):
    home = Home(tmp_path)
    assert not home.is_locked()
    with home.lock():
        assert home.is_locked()
        with pytest.raises(AwsError, match="still holds"), home.lock(timeout_s=0.01):
            pass
    assert not home.is_locked()


def test_a_child_gets_nothing_of_the_shell_that_could_change_what_is_deployed(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "HTTPS_PROXY", "FALCON_ENV", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    environment_of_child = environment.child_environment(FALCON_ENV="local")
    assert environment_of_child["FALCON_ENV"] == "local"
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL", "HTTPS_PROXY", "PYTHONPATH"} & set(
        environment_of_child
    )


def test_the_home_is_the_folder_of_the_environment_or_dot_falcon(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FALCON_HOME", raising=False)
    assert environment.falcon_home() == tmp_path / ".falcon"
    monkeypatch.setenv("FALCON_HOME", "elsewhere")
    assert environment.falcon_home() == tmp_path / "elsewhere"


def test_each_up_has_a_key_of_its_own():
    first, second = process.RootKey.generate(), process.RootKey.generate()
    assert first.access_key_id != second.access_key_id
    assert first.secret_access_key != second.secret_access_key
    # Twelve digits would be an account id to the emulator.
    assert not first.access_key_id.isdigit()


@pytest.mark.parametrize(
    "address",
    ["https://abc1.execute-api.eu-central-1.amazonaws.com", "http://abc1.execute-api.localhost:1/"],
)
def test_the_api_is_named_by_path_because_its_host_may_not_resolve(address):
    emulator = process.Emulator(1, "x", 4567)
    assert (
        stack.reachable_api_url({"ApiUrl": address}, emulator)
        == "http://127.0.0.1:4567/_aws/execute-api/abc1/$default"
    )


def test_a_template_without_an_api_is_refused():
    with pytest.raises(AwsError, match="ApiUrl"):
        stack.reachable_api_url({}, process.Emulator(1, "x", 4567))


ARTIFACTS = {
    "second": {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": "second.template.json", "stackName": "named-second"},
        "dependencies": ["first", "second.assets"],
    },
    "second.assets": {"type": "cdk:asset-manifest", "properties": {"file": "second.assets.json"}},
    "first": {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": "first.template.json"},
    },
    "Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
}


@pytest.fixture
def cloud_assembly(tmp_path):
    def write(manifest):
        (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": ARTIFACTS}))
        (tmp_path / "second.assets.json").write_text(json.dumps(manifest))
        return tmp_path

    return write


def asset_manifest(packaging="zip"):
    destination = {
        "bucketName": "cdk-assets-${AWS::AccountId}-${AWS::Region}",
        "objectKey": "abc.zip",
    }
    source = {"path": "asset.abc", "packaging": packaging}
    return {"files": {"abc": {"source": source, "destinations": {"here": destination}}}}


def test_stacks_come_after_those_they_depend_on_with_their_assets_placed(cloud_assembly):
    folder = cloud_assembly(asset_manifest())
    first, second = assembly.read_stacks(folder, "000000000000", "eu-central-1")
    assert (first.name, first.assets) == ("first", ())
    assert second.name == "named-second"
    assert second.assets == (
        assembly.Asset(
            path=folder / "asset.abc",
            zipped=True,
            bucket="cdk-assets-000000000000-eu-central-1",
            key="abc.zip",
        ),
    )


def test_container_images_are_refused(cloud_assembly):
    folder = cloud_assembly({"dockerImages": {"x": {}}})
    with pytest.raises(AwsError, match="container images"):
        assembly.read_stacks(folder, "000000000000", "eu-central-1")


def make_package(folder):
    (folder / "lambdas" / "splitter").mkdir(parents=True)
    (folder / "lambdas" / "splitter" / "handler.py").write_text("x = 1\n")
    (folder / "lambdas" / "__init__.py").write_text("")
    (folder / "lambdas" / "old.pyc").write_text("compiled elsewhere")
    return assembly.Asset(folder, zipped=True, bucket="b", key="k")


def test_the_same_folder_makes_the_same_zip(tmp_path):
    one, two = make_package(tmp_path / "one"), make_package(tmp_path / "two")
    os.utime(tmp_path / "two" / "lambdas" / "__init__.py", (0, 0))
    assert deployment.packed(one) == deployment.packed(two)
    names = zipfile.ZipFile(io.BytesIO(deployment.packed(one))).namelist()
    assert names == ["lambdas/__init__.py", "lambdas/splitter/handler.py"]


def test_the_assembly_is_made_again_only_when_an_input_changed(tmp_path, monkeypatch):
    made = []

    def run_app(root, outdir, log):
        made.append(outdir)
        (outdir / "manifest.json").write_text("{}")

    monkeypatch.setattr(assembly, "_run_app", run_app)
    source = tmp_path / "infra" / "app.py"
    source.parent.mkdir()
    source.write_text("one")
    first = assembly.synthesize(tmp_path, tmp_path / "log")
    assert assembly.synthesize(tmp_path, tmp_path / "log") == first
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("no input")
    assert assembly.synthesize(tmp_path, tmp_path / "log") == first
    source.write_text("two")
    assert assembly.synthesize(tmp_path, tmp_path / "log") != first
    assert len(made) == 2
    assert (first / "manifest.json").is_file()


def test_an_assembly_whose_inputs_changed_meanwhile_is_used_but_not_kept(tmp_path, monkeypatch):
    source = tmp_path / "infra.py"
    source.write_text("before")

    def run_app(root, outdir, log):
        (outdir / "manifest.json").write_text("{}")
        source.write_text("after")

    monkeypatch.setattr(assembly, "_run_app", run_app)
    folder = assembly.synthesize(tmp_path, tmp_path / "log")
    assert folder.name.startswith("unkept-")
    source.write_text("before")
    assert assembly.synthesize(tmp_path, tmp_path / "log") != folder


def test_a_synthesis_that_fails_shows_why(tmp_path):
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__init__.py").touch()
    (tmp_path / "infra" / "app.py").write_text("raise SystemExit('no such construct')")
    with pytest.raises(AwsError, match=r"cannot be synthesized(.|\n)*no such construct"):
        assembly.synthesize(tmp_path, tmp_path / "synth.log")


def test_functions_find_what_is_installed_but_not_the_checkout(tmp_path):
    script = (
        "import boto3\ntry:\n    import falcon_balances\nexcept ImportError:\n    print('hidden')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment.child_environment(PYTHONPATH=str(process._WORKER_SITE)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("hidden\n", "")
