#!/usr/bin/env python3
"""envoy/monitoring in front of Debian's `prometheus`: the rules as `promtool` tests them, and a real Prometheus that
scrapes a real Envoy while requests come. Its answers must be what was sent, to the last one; every expression of the
dashboard must give something; an alert must come of a real bundle that nobody signed.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
MONITORING = ROOT / "envoy/monitoring"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/system")]

import demo  # noqa: E402
import monitored  # noqa: E402

PATIENCE = 60  # seconds for anything that comes in the end
SURGE = 400  # more than one a second over five minutes


def main():
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing:
        why = f"there is no {', '.join(missing)}: `apt-get install prometheus`"
        if os.environ.get("CI") == "true":
            sys.exit(f"test-system: {why}")
        print(f"test-system: 0 passed, {len(TESTS)} skipped: {why}")
        return
    for test in TESTS:
        with contextlib.ExitStack() as running:
            folder = running.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-system-"))
            test(running, pathlib.Path(folder))
        print(f"test-system: {test.__name__} ... ok", flush=True)
    print(f"test-system: {len(TESTS)} passed, 0 skipped")


def the_rules_are_what_promtool_takes(_running, folder):
    promtool("check", "config", MONITORING / "prometheus.yaml")
    promtool("check", "rules", MONITORING / "alerts.yaml")
    promtool("test", "rules", MONITORING / "alerts_test.yaml")
    # A test that could not fail would be none.
    for found, put in [("portcullis_policy_waiting > 0", "portcullis_policy_waiting > 2"), ("for: 1m", "for: 9m")]:
        changed = (MONITORING / "alerts.yaml").read_text()
        assert changed.count(found) == 1, found
        (folder / "alerts.yaml").write_text(changed.replace(found, put))
        shutil.copy(MONITORING / "alerts_test.yaml", folder)
        assert promtool("test", "rules", folder / "alerts_test.yaml", check=False).returncode != 0, put


def prometheus_sees_what_was_sent(running, folder):
    gates = monitored.start(running, folder)
    # The page, and nothing else of the admin's.
    assert "portcullis_policy_ready" in demo.ask(gates.page, "/stats/prometheus")
    for path in ("/", "/stats", "/config_dump", "/quitquitquit", "/stats/prometheus/../../config_dump"):
        assert demo.ask(gates.page, path) == "", path
    prometheus = Prometheus(running, folder, gates.page)
    sent = send(gates)
    total = sum(sent.values())

    def decisions():
        return {
            (it["metric"]["outcome"], it["metric"]["reason"]): int(it["value"][1])
            for it in prometheus.query("sum by (outcome, reason) (portcullis_decisions) > 0")
        }

    # Exactly, and the histogram has each of them too.
    wait(lambda: decisions() == sent, lambda: f"{decisions()}\n{sent}")
    wait(lambda: prometheus.number("portcullis_decision_duration_us_count") == total)
    for expression, number in gates.counted.items():
        wait(lambda: prometheus.number(expression) == number, lambda: f"{expression}: {prometheus.query(expression)}")
    # An event for each, which the collector has once.
    for metric in ("events", "uploaded"):
        wait(lambda: prometheus.number(f"portcullis_decision_log_{metric}") == total, lambda: f"{metric}: {total}")
    events = gates.events()
    assert len(events) == len({event["decision_id"] for event in events}) == total, (len(events), total)
    assert collections.Counter(("allow" if it["allowed"] else "deny", it["reason"]) for it in events) == sent
    no_secret_is_there(gates, events)
    # The candidate refuses everything but one method.
    differs = "sum by (direction) (portcullis_shadow_differences)"
    by_direction = {it["metric"]["direction"]: int(it["value"][1]) for it in prometheus.query(differs)}
    assert by_direction == gates.differences, (by_direction, gates.differences)

    the_readme_is_right(prometheus, gates)
    the_dashboard_has_data(prometheus)
    alerts_come_of_what_happens(prometheus, gates)


def no_secret_is_there(gates, events):
    """Neither in a metric nor in what the collector got."""
    shown = demo.ask(gates.page, "/stats/prometheus") + json.dumps(events)
    have = gates.credentials
    for secret in (have.key, have.next_key, have.old_key, "of-bob", *have.environment.values()):
        assert secret not in shown, secret
    # Nor a token, whose head is the same in all.
    assert "eyJ" not in shown, shown[max(shown.find("eyJ") - 200, 0) :][:400]


def send(gates):
    """What was decided, by outcome and reason."""
    sent = collections.Counter()
    for case in gates.cases():
        status = demo.send(gates.gate.port, case)
        reason = gates.gate.decision()
        assert (status, reason) == (case.status, case.envoy_reason), (case.what, status, reason)
        if case.envoy_reason == case.reason:
            sent["allow" if case.status == 200 else "deny", reason] += 1
    surge = demo.Case("no token", ("GET", "/admin", []), 401, "jwt.missing")
    for _ in range(SURGE):
        assert demo.send(gates.gate.port, surge) == 401
        gates.gate.decision()
    sent["deny", "jwt.missing"] += SURGE
    return sent


def the_readme_is_right(prometheus, gates):
    readme = (ROOT / "README.md").read_text()
    [block] = re.findall(r"<!-- test: monitoring -->\n```sh\n(.*?)```", readme, re.DOTALL)
    for found, put in (("127.0.0.1:9901", gates.admin), ("127.0.0.1:9090", prometheus.address)):
        assert found in block, found
        block = block.replace(found, put)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done
    assert 'portcullis_decisions{outcome="deny",reason="jwt.expired"} 1\n' in done.stdout, done.stdout
    assert '{outcome="deny", reason="jwt.expired"} => 1 @' in done.stdout, done.stdout


def the_dashboard_has_data(prometheus):
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    asked, wrong = 0, []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in (("__rate_interval", "1m"), ("__range", "5m"), ("job", ".*"), ("instance", ".*")):
                expression = expression.replace(f"${name}", value)
            result = prometheus.query(expression)
            if not result:
                wrong.append(f"{panel['title']}: nothing from {expression}")
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                lack = [series for series in result if label not in series["metric"]]
                wrong += [f"{panel['title']}: no {label} in {series}" for series in lack]
            asked += 1
    assert not wrong, "\n".join(wrong)
    assert asked > 40, asked
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            found = prometheus.query(series.replace("$job", ".*"))
            assert found and all(label in it["metric"] for it in found), variable
    for annotation in dashboard["annotations"]["list"]:
        prometheus.query(annotation["expr"])


def alerts_come_of_what_happens(prometheus, gates):
    groups = prometheus.get("/api/v1/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert all(rule["health"] == "ok" for rule in rules), [it for it in rules if it["health"] != "ok"]
    named = {rule["name"] for rule in rules if rule["type"] == "alerting"}
    assert named == set(re.findall(r"alert: (\w+)", (MONITORING / "alerts.yaml").read_text()))

    def alerts():
        return {(it["labels"]["alertname"], it["state"]): it for it in prometheus.get("/api/v1/alerts")["alerts"]}

    # Four hundred refusals are a surge, if they last; the gate is well otherwise.
    wait(lambda: ("PortcullisDenialSurge", "pending") in alerts())
    surge = alerts()["PortcullisDenialSurge", "pending"]
    assert surge["labels"]["reason"] == "jwt.missing", surge
    # The other evaluator and the candidate say what they would; no alert is critical.
    assert not [it for it in alerts().values() if it["labels"]["severity"] == "critical"], alerts()

    # Somebody publishes what is not signed.
    gates.publish_unsigned()
    wait(lambda: ("PortcullisBundleUnverified", "firing") in alerts(), alerts)
    unverified = alerts()["PortcullisBundleUnverified", "firing"]
    assert unverified["labels"]["severity"] == "critical", unverified
    assert unverified["annotations"]["summary"].startswith(f"{gates.page} was given a bundle"), unverified

    # What cannot be decided is refused, which is something else than a surge.
    refused = gates.introspection_fails(demo.send)
    assert refused > 50
    wait(lambda: ("PortcullisFailsClosed", "pending") in alerts(), alerts)
    failed = alerts()["PortcullisFailsClosed", "pending"]
    assert failed["labels"]["reason"] == "introspection.unavailable", failed
    assert "% of requests with 503, for introspection.unavailable" in failed["annotations"]["summary"], failed


class Prometheus:
    """One with envoy/monitoring's configuration, which scrapes every second."""

    def __init__(self, running, folder, target):
        self.address = f"127.0.0.1:{monitored.free_port()}"
        text = (MONITORING / "prometheus.yaml").read_text()
        for found, put in (("127.0.0.1:9901", target), ("_interval: 15s", "_interval: 1s")):
            assert found in text, found
            text = text.replace(found, put)
        (folder / "prometheus.yaml").write_text(text)
        shutil.copy(MONITORING / "alerts.yaml", folder)
        self.log = folder / "prometheus.log"
        with open(self.log, "w") as log:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
                + [f"--web.listen-address={self.address}", "--log.level=warn"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        running.callback(demo.stop, process)
        wait(self.is_ready, self.log.read_text)
        wait(lambda: self.number("up") == 1, self.log.read_text)

    def is_ready(self):
        try:
            urllib.request.urlopen(f"http://{self.address}/-/ready").close()
            return True
        except OSError:
            return False

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}?{query}") as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression):
        return self.get("/api/v1/query", query=expression)["result"]

    def number(self, expression):
        """Of the one series that there is."""
        result = self.query(expression)
        return float(result[0]["value"][1]) if len(result) == 1 else None


def promtool(*arguments, check=True):
    done = subprocess.run(["promtool", *map(str, arguments)], text=True, capture_output=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def wait(holds, said=lambda: ""):
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, said()
        time.sleep(0.2)


TESTS = [the_rules_are_what_promtool_takes, prometheus_sees_what_was_sent]

if __name__ == "__main__":
    main()
