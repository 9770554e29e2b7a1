"""A repository of policies at GitHub and one at GitLab, whose jobs are run as the hosts would: the commands of
policies/ci, in order, with what those find in their environment."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import registries

try:
    from ruamel.yaml import YAML

    WHY = None
except ImportError as error:
    WHY = f"{error.name} is not in .venv, where tests/setup.py puts it"

ROOT = registries.ROOT
MODULE = pathlib.Path(os.environ.get("PORTCULLIS_WASM", ROOT / "target/wasm32-wasip1/release/portcullis.wasm"))
FOLDER = ROOT / "policies/ci"
GITHUB, GITLAB = FOLDER / "github-actions.yml", FOLDER / "gitlab-ci.yml"


@dataclasses.dataclass
class Step:
    """Some lines of a job, and what stands in the environment for them alone."""

    name: str
    script: str
    environment: dict


@dataclasses.dataclass
class Job:
    name: str
    environment: dict
    steps: list


@dataclasses.dataclass
class Done:
    # The command that failed; nothing where none did.
    failed: str
    said: str


class Host:
    """A repository of policies at one of the hosts, whose jobs can be run as it would."""

    def __init__(self, name, folder, address, gate):
        self.name, self.address = name, address
        self.repository = folder / name
        self.home = folder / f"{name}-home"
        self.home.mkdir()
        self.portcullis("init", self.repository, cwd=folder)
        trusted = folder / f"{name}-trusted"
        shutil.copytree(made_keys(trusted), self.repository / "keys")
        shutil.copy(gate, self.repository / "keys/gate.pub.pem")
        self.secrets = {
            "POLICY_SIGNING_KEY": (trusted / "policy.pem").read_text(),
            "REGISTRY_USER": registries.USER,
            "REGISTRY_PASSWORD": registries.PASSWORD,
        }
        self.variables = {
            "PORTCULLIS_URL": registries.COMMAND.resolve().as_uri(),
            "PORTCULLIS_SHA256": hashlib.sha256(registries.COMMAND.read_bytes()).hexdigest(),
            "REGISTRY": address,
            "REPOSITORY": f"{name}/authz",
            "GATE_IMAGE": f"{address}/gates/portcullis:v1",
            "GATE_NAMESPACE": "shop",
            "GATE_SELECTOR": "app=orders",
        }
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Start")
        self.commit = self.git("rev-parse", "HEAD").strip()

    def run(self, job):
        """A job, until a step of it fails; then only what goes on whatever happened."""
        job, said, failed = self.job(job), "", ""
        with tempfile.TemporaryDirectory() as temporary:
            path = os.environ["PATH"]
            for step in job.steps:
                if failed and "rm -rf" not in step.script:
                    continue
                added = pathlib.Path(temporary) / "path"
                added.touch()
                environment = {
                    "HOME": str(self.home),
                    "PATH": path,
                    "CI": "true",
                    "RUNNER_TEMP": temporary,
                    "GITHUB_PATH": str(added),
                    **job.environment,
                    **step.environment,
                }
                done = subprocess.run(
                    ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-x", "-c", step.script],
                    cwd=self.repository,
                    env=environment,
                    text=True,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                )
                traced, untraced = commands(done.stderr)
                said += done.stdout + untraced
                if done.returncode != 0:
                    failed = traced[-1]
                path = ":".join([*reversed(added.read_text().split()), path])
                added.unlink()
        return Done(failed, said)

    @contextlib.contextmanager
    def changed(self, change):
        """With the change, which is undone afterwards."""
        secrets, variables = dict(self.secrets), dict(self.variables)
        change(self)
        try:
            yield
        finally:
            self.secrets, self.variables = secrets, variables
            self.git("checkout", "--quiet", ".")
            self.git("clean", "--quiet", "--force", "-dx")

    def append(self, name, text):
        with open(self.repository / name, "a") as file:
            file.write(text)

    def file(self, name):
        return (self.repository / name).read_text()

    def git(self, *arguments):
        somebody = ["-c", "user.name=ci", "-c", "user.email=ci@example.com"]
        done = subprocess.run(
            ["git", *somebody, *arguments],
            cwd=self.repository,
            env={**os.environ, "HOME": str(self.home)},
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done
        return done.stdout

    def portcullis(self, *arguments, cwd=None):
        done = subprocess.run(
            [registries.COMMAND, *arguments], cwd=cwd or self.repository, text=True, capture_output=True
        )
        assert done.returncode == 0, done
        return done

    def pull(self, repository, tag):
        return registries.pull(self.address, repository, tag, (registries.USER, registries.PASSWORD))


class GitHub(Host):
    def job(self, name):
        document = read(GITHUB)
        job = document["jobs"][name]
        known = {
            **{f"vars.{name}": value for name, value in self.variables.items()},
            **{f"secrets.{name}": value for name, value in self.secrets.items()},
            "github.workspace": str(self.repository),
        }
        always = {"GITHUB_SHA": self.commit, **self.said(document["env"], known)}
        steps = [
            Step(step["name"], step["run"], self.said(step.get("env", {}), known))
            for step in job["steps"]
            if "run" in step
        ]
        return Job(name, {**always, **self.said(job.get("env", {}), known)}, steps)

    @staticmethod
    def said(environment, known):
        """With what stands for each expression; one that this does not know is a KeyError."""
        expression = re.compile(r"\$\{\{ (\S+) \}\}")
        return {name: expression.sub(lambda found: known[found[1]], value) for name, value in environment.items()}


class GitLab(Host):
    def job(self, name):
        document = read(GITLAB)
        job = document[name]
        given = {
            "CI_PROJECT_DIR": str(self.repository),
            "CI_COMMIT_SHA": self.commit,
            "CI_REGISTRY": self.address,
            "CI_REGISTRY_IMAGE": f"{self.address}/{self.variables['REPOSITORY'].split('/')[0]}",
        }
        if name == "deliver":
            given["POLICY_SIGNING_KEY"] = self.secrets["POLICY_SIGNING_KEY"]
            given["CI_REGISTRY_USER"] = self.secrets["REGISTRY_USER"]
            given["CI_REGISTRY_PASSWORD"] = self.secrets["REGISTRY_PASSWORD"]
        folder = given["CI_PROJECT_DIR"]
        own = {name: value.replace("$CI_PROJECT_DIR", folder) for name, value in job.get("variables", {}).items()}
        asked = {name: value for name, value in self.variables.items() if name.startswith(("PORTCULLIS_", "GATE_"))}
        # One shell for both; what comes after has its own.
        scripts = [document["default"]["before_script"] + job["script"], job.get("after_script", [])]
        steps = [Step(name, "\n".join(lines), {}) for lines in scripts if lines]
        return Job(name, {**given, **asked, **own}, steps)


@contextlib.contextmanager
def hosts(folder):
    """Both, with one registry that wants credentials, and has the gate's image."""
    gate = folder / "gate"
    public = made_keys(gate) / "policy.pub.pem"
    with registries.registry(folder, registries.with_credentials(folder)) as address:
        registries.log_in(folder, address, registries.PASSWORD)
        for image in ("portcullis", "unsigned"):
            registries.command(folder, "image", "push", f"{address}/gates/{image}:v1", "--wasm", MODULE)
        registries.command(
            folder, "image", "sign", f"{address}/gates/portcullis:v1", "--key", gate / "policy.pem"
        )
        yield [kind(kind.__name__.lower(), folder, address, public) for kind in (GitHub, GitLab)]


def commands(errors):
    """Those that `bash -x` shows, without the ends of pipes that do not fail; and what no host would leave out."""
    lines = errors.splitlines()
    traced = [line for line in lines if line.startswith("+ ") and line.split()[1] not in ("echo", "tee", "exit")]
    return traced, "\n".join(line for line in lines if not line.startswith("+"))


def made_keys(folder):
    """A new pair, as the page has it made: `policy.pem`, and `keys/policy.pub.pem`. The latter's folder."""
    folder.mkdir()
    [script] = re.findall(r"<!-- test: policy-ci -->\n```sh\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    subprocess.run(["bash", "-ec", script], cwd=folder, check=True, capture_output=True)
    return folder / "keys"


def read(file):
    return YAML(typ="safe").load(file.read_text())
