"""What a schema cannot say of a manifest: the rules of the API server, of the CRDs' own expressions (CEL) and of the
controllers' webhooks that bite. Each yields a path, what was found and what is right. They run on manifests that
their schema has accepted."""

import json
import re

# RFC 1123 labels, as Kubernetes writes them, and names of ports (RFC 6335 section 5.1).
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
SCHEMES = ("", "http", "https", "oci", "file")


def broken(manifest, cluster_scoped):
    """Every broken rule of a manifest."""
    yield from named(manifest, cluster_scoped)
    # Kubernetes' own schemas have nothing against it.
    if "spec" in manifest and manifest["spec"] is None:
        yield "spec", "nothing", "an object"
        return
    for rule in RULES.get(manifest["kind"], []):
        yield from rule(manifest.get("spec") or {})


def named(manifest, cluster_scoped):
    metadata = manifest.get("metadata") or {}
    name = metadata.get("name")
    if name is None:
        yield "metadata", "no name", "it must be there"
    elif len(name) > 253 or not NAME.fullmatch(name):
        yield "metadata.name", name, "lower case letters, digits, - and ."
    if cluster_scoped and metadata.get("namespace") is not None:
        yield "metadata.namespace", metadata["namespace"], "none: the kind belongs to the cluster"


def at_most_one(spec, *fields):
    there = [field for field in fields if spec.get(field) is not None]
    if len(there) > 1:
        yield "spec", " and ".join(there), "at most one of " + ", ".join(fields)


def unique(items, key, path):
    seen = set()
    for index, item in enumerate(items or []):
        if item.get(key) is not None and item[key] in seen:
            yield f"{path}[{index}].{key}", f"{item[key]} again", "each once"
        seen.add(item.get(key))


# Kubernetes' own.


def deployment(spec):
    template = spec.get("template") or {}
    selector = ((spec.get("selector") or {}).get("matchLabels") or {}).items()
    labels = ((template.get("metadata") or {}).get("labels") or {}).items()
    if not selector <= labels:
        yield "spec.template.metadata.labels", dict(labels), f"all of the selector's: {json.dumps(dict(selector))}"
    pod = template.get("spec") or {}
    volumes = {volume["name"] for volume in pod.get("volumes") or []}
    ports = set()
    for group in ("initContainers", "containers"):
        for at, container in enumerate(pod.get(group) or []):
            where = f"spec.template.spec.{group}[{at}]"
            yield from environment(container.get("env"), f"{where}.env")
            for index, mount in enumerate(container.get("volumeMounts") or []):
                if mount["name"] not in volumes:
                    yield f"{where}.volumeMounts[{index}].name", mount["name"], "one of the pod's volumes"
            for index, port in enumerate(container.get("ports") or []):
                name = port.get("name")
                if name is None:
                    continue
                if not PORT_NAME.fullmatch(name):
                    yield f"{where}.ports[{index}].name", name, "at most 15 lower case letters, digits and -"
                if name in ports:
                    yield f"{where}.ports[{index}].name", f"{name} again", "each once in a pod"
                ports.add(name)


def environment(variables, path):
    yield from unique(variables, "name", path)
    for index, variable in enumerate(variables or []):
        if variable.get("value") and variable.get("valueFrom"):
            yield f"{path}[{index}]", "value and valueFrom", "one of them"


def service(spec):
    ports = spec.get("ports") or []
    yield from unique(ports, "name", "spec.ports")
    if len(ports) > 1 and not all(port.get("name") for port in ports):
        yield "spec.ports", "a port without a name", "a name for each, where there are several"


def network_policy(spec):
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        kind = direction.capitalize()
        if spec.get(direction) and kind not in (spec.get("policyTypes") or [kind]):
            yield "spec.policyTypes", f"no {kind}", f"it must be there, or {direction} means nothing"
        for index, rule in enumerate(spec.get(direction) or []):
            for at, port in enumerate(rule.get("ports") or []):
                where = f"spec.{direction}[{index}].ports[{at}]"
                if port.get("endPort") is not None and not isinstance(port.get("port"), int):
                    yield f"{where}.endPort", port["endPort"], "a port that is a number beside it"
                if port.get("protocol") not in (None, "TCP", "UDP", "SCTP"):
                    yield f"{where}.protocol", port["protocol"], "TCP, UDP, SCTP"
            for at, peer in enumerate(rule.get(peers) or []):
                where = f"spec.{direction}[{index}].{peers}[{at}]"
                if not peer:
                    yield where, "nothing", "a selector or an ipBlock"
                elif peer.get("ipBlock") and len(peer) > 1:
                    yield where, ", ".join(peer), "ipBlock alone"


def autoscaler(spec):
    if spec["maxReplicas"] < (spec.get("minReplicas") or 1):
        yield "spec.maxReplicas", spec["maxReplicas"], f"{spec['minReplicas']} or more, as minReplicas"


# Istio's.


def selected(spec):
    yield from at_most_one(spec, "selector", "targetRef", "targetRefs")


def wasm_plugin(spec):
    # A URL without a scheme means oci://.
    scheme = spec["url"].partition("://")[0] if "://" in spec["url"] else ""
    if scheme not in SCHEMES:
        yield "spec.url", spec["url"], "oci://, https://, http:// or file://"
    yield from pinned(spec, "spec")
    for index, match in enumerate(spec.get("match") or []):
        yield from unique(match.get("ports"), "number", f"spec.match[{index}].ports")
    variables = (spec.get("vmConfig") or {}).get("env")
    yield from unique(variables, "name", "spec.vmConfig.env")
    for index, variable in enumerate(variables or []):
        if variable.get("valueFrom") == "HOST" and "value" in variable:
            yield f"spec.vmConfig.env[{index}].value", "a value", "none where valueFrom is HOST"


def pinned(image, path):
    """A digest in the URL and another one beside it: the pull would fail."""
    digest = image["url"].rpartition("@sha256:")[2] if "@sha256:" in image["url"] else None
    if digest and image.get("sha256") and digest != image["sha256"]:
        yield f"{path}.sha256", image["sha256"], f"the digest of the url, {digest}"


MATCHED_BY = {
    "listener": {"LISTENER", "FILTER_CHAIN", "LISTENER_FILTER", "NETWORK_FILTER", "HTTP_FILTER"},
    "routeConfiguration": {"ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"},
    "cluster": {"CLUSTER"},
}


def envoy_filter(spec):
    yield from at_most_one(spec, "workloadSelector", "targetRefs")
    for index, patch in enumerate(spec.get("configPatches") or []):
        where = f"spec.configPatches[{index}]"
        apply_to, change, match = patch.get("applyTo", "INVALID"), patch.get("patch"), patch.get("match") or {}
        if apply_to == "INVALID":
            yield f"{where}.applyTo", "nothing", "what the patch is applied to"
        operation = (change or {}).get("operation", "INVALID")
        if operation == "INVALID":
            yield f"{where}.patch.operation", "nothing", "an operation"
        elif operation != "REMOVE" and not change.get("value"):
            yield f"{where}.patch.value", "nothing", f"what to {operation}"
        # pilot/pkg/networking/core/envoyfilter/extension_configuration_patch.go drops every other operation.
        if apply_to == "EXTENSION_CONFIG" and operation not in ("ADD", "INVALID"):
            yield f"{where}.patch.operation", operation, "ADD: Istio ignores others of an EXTENSION_CONFIG"
        objects = [key for key in ("listener", "routeConfiguration", "cluster", "waypoint") if key in match]
        if len(objects) > 1:
            yield f"{where}.match", " and ".join(objects), "one of them"
        for key, takes in MATCHED_BY.items():
            if key in match and apply_to not in takes:
                yield f"{where}.match.{key}", key, f"what a {apply_to} can be matched by"
        if ("waypoint" in match) != (match.get("context") == "WAYPOINT"):
            yield f"{where}.match.context", match.get("context"), "WAYPOINT with waypoint, and only then"


def peer_authentication(spec):
    ports = spec.get("portLevelMtls")
    if ports and not (spec.get("selector") or {}).get("matchLabels"):
        yield "spec.portLevelMtls", "no selector", "labels to select by"
    for port in ports or {}:
        if not 0 < int(port) <= 65535:
            yield f"spec.portLevelMtls.{port}", port, "1 to 65535"


def authorization_policy(spec):
    action = spec.get("action", "ALLOW")
    if (action == "CUSTOM") != ("provider" in spec):
        yield "spec.provider", "provider" if "provider" in spec else "nothing", "a provider with CUSTOM, and only then"
    for index, rule in enumerate(spec.get("rules") or []):
        for at, source in enumerate(rule.get("from") or []):
            fields = set(source.get("source") or {})
            where = f"spec.rules[{index}].from[{at}].source"
            accounts = fields & {"serviceAccounts", "notServiceAccounts"}
            if accounts and fields & {"principals", "notPrincipals", "namespaces", "notNamespaces"}:
                yield where, ", ".join(sorted(fields)), "serviceAccounts without namespaces or principals"
            for principal in (source.get("source") or {}).get("principals") or []:
                if principal.startswith("spiffe://"):
                    yield f"{where}.principals", principal, "without spiffe://: Istio matches what follows it"


def service_entry(spec):
    yield from at_most_one(spec, "workloadSelector", "endpoints")
    yield from unique(spec.get("ports"), "name", "spec.ports")
    yield from unique(spec.get("ports"), "number", "spec.ports")
    resolution = spec.get("resolution", "NONE")
    if resolution == "NONE" and "endpoints" in spec:
        yield "spec.endpoints", "endpoints", "none where resolution is NONE"
    if resolution == "DNS_ROUND_ROBIN" and len(spec.get("endpoints") or []) > 1:
        yield "spec.endpoints", len(spec["endpoints"]), "one where resolution is DNS_ROUND_ROBIN"
    if resolution not in ("NONE", "STATIC") and any("/" in address for address in spec.get("addresses") or []):
        yield "spec.addresses", "a range", "addresses, unless resolution is NONE or STATIC"


def destination_rule(spec):
    policy = spec.get("trafficPolicy") or {}
    settings = [("spec.trafficPolicy", policy)]
    for at, each in enumerate(policy.get("portLevelSettings") or []):
        settings.append((f"spec.trafficPolicy.portLevelSettings[{at}]", each))
    for path, setting in settings:
        tls = setting.get("tls") or {}
        # Without either, Istio would take any certificate.
        if tls.get("mode") in ("SIMPLE", "MUTUAL") and not tls.get("caCertificates") and not tls.get("credentialName"):
            yield f"{path}.tls", "no caCertificates", "what the server's certificate is verified by, such as system"
        if tls.get("insecureSkipVerify"):
            yield f"{path}.tls.insecureSkipVerify", "true", "false: whoever answers would be believed"


# Envoy Gateway's, and the Gateway API's.

ROUTES = {"HTTPRoute", "GRPCRoute", "TCPRoute", "UDPRoute", "TLSRoute"}


def extension_policy(spec):
    yield from targeted(spec, spec.get("targetSelectors"))
    yield from targets(spec, ROUTES | {"Gateway"}, "a Gateway or a route")
    for index, wasm in enumerate(spec.get("wasm") or []):
        where, code = f"spec.wasm[{index}].code", wasm["code"]
        for kind, field in (("HTTP", "http"), ("Image", "image")):
            if (code["type"] == kind) != (field in code):
                yield where, f"type {code['type']} {'with' if field in code else 'without'} {field}", f"{field} with type {kind}, and only then"
        image = code.get("image") or {}
        if image:
            yield from pinned(image, f"{where}.image")
        if (image.get("pullSecretRef") or {}).get("kind", "Secret") != "Secret":
            yield f"{where}.image.pullSecretRef.kind", image["pullSecretRef"]["kind"], "Secret"


def targeted(spec, selectors=None):
    one, many = spec.get("targetRef") is not None, bool(spec.get("targetRefs"))
    if one == many and not (selectors and not one):
        yield "spec", "targetRef and targetRefs" if one else "no target", "one of targetRef and targetRefs"


def targets(spec, kinds, right):
    for target in spec.get("targetRefs") or [spec.get("targetRef") or {}]:
        if target and (target["group"] != "gateway.networking.k8s.io" or target["kind"] not in kinds):
            yield "spec.targetRefs", f"{target['group']}/{target['kind']}", f"{right} of gateway.networking.k8s.io"


def traffic_policy(spec):
    yield from targeted(spec)
    yield from targets(spec, {"Gateway"}, "a Gateway")


def patch_policy(spec):
    yield from targeted(spec)
    for index, patch in enumerate(spec.get("jsonPatches") or []):
        where, operation = f"spec.jsonPatches[{index}].operation", patch["operation"]
        if "path" not in operation and "jsonPath" not in operation:
            yield where, "no path", "path, jsonPath or both"
        if operation["op"] in ("add", "replace", "test") and "value" not in operation:
            yield f"{where}.value", "nothing", f"what to {operation['op']}"
        if (operation["op"] in ("move", "copy")) != ("from" in operation):
            yield f"{where}.from", operation.get("from"), "from with move and copy, and only then"


def envoy_proxy(spec):
    kubernetes = (spec.get("provider") or {}).get("kubernetes") or {}
    container = (kubernetes.get("envoyDeployment") or {}).get("container") or {}
    yield from environment(container.get("env"), "spec.provider.kubernetes.envoyDeployment.container.env")
    service = kubernetes.get("envoyService") or {}
    for field in ("allocateLoadBalancerNodePorts", "loadBalancerIP"):
        if field in service and service.get("type", "LoadBalancer") != "LoadBalancer":
            yield f"spec.provider.kubernetes.envoyService.{field}", service["type"], "it with type LoadBalancer"
    if "envoyHpa" in kubernetes:
        for path, found, right in autoscaler(kubernetes["envoyHpa"]):
            yield path.replace("spec.", "spec.provider.kubernetes.envoyHpa.", 1), found, right


def gateway(spec):
    yield from unique(spec["listeners"], "name", "spec.listeners")
    seen = set()
    for index, listener in enumerate(spec["listeners"]):
        where, protocol, tls = f"spec.listeners[{index}]", listener["protocol"], listener.get("tls")
        if protocol in ("HTTP", "TCP", "UDP") and tls is not None:
            yield f"{where}.tls", f"tls with {protocol}", "none"
        mode = (tls or {}).get("mode", "Terminate")
        if protocol == "HTTPS" and (tls is None or mode != "Terminate"):
            yield f"{where}.tls", "nothing" if tls is None else mode, "Terminate with HTTPS"
        if tls is not None and mode == "Terminate" and not tls.get("certificateRefs") and not tls.get("options"):
            yield f"{where}.tls.certificateRefs", "nothing", "a certificate with Terminate"
        if protocol in ("TCP", "UDP") and listener.get("hostname"):
            yield f"{where}.hostname", listener["hostname"], f"none with {protocol}"
        key = (listener["port"], protocol, listener.get("hostname"))
        if key in seen:
            yield where, ", ".join(str(part) for part in key), "each port, protocol and hostname once"
        seen.add(key)


def http_route(spec):
    for index, rule in enumerate(spec.get("rules") or []):
        for at, match in enumerate(rule.get("matches") or []):
            path = match.get("path") or {}
            value = path.get("value", "/")
            if path.get("type", "PathPrefix") != "RegularExpression":
                if not value.startswith("/") or any(part in value for part in ("//", "/./", "/../", "%2f", "%2F", "#")):
                    yield f"spec.rules[{index}].matches[{at}].path.value", value, "an absolute path without //, /./, /../ and %2f"
        for at, backend in enumerate(rule.get("backendRefs") or []):
            if not backend.get("group") and backend.get("kind", "Service") == "Service" and "port" not in backend:
                yield f"spec.rules[{index}].backendRefs[{at}]", "no port", "a port of the Service"


RULES = {
    "Deployment": [deployment],
    "Service": [service],
    "NetworkPolicy": [network_policy],
    "HorizontalPodAutoscaler": [autoscaler],
    "WasmPlugin": [selected, wasm_plugin],
    "EnvoyFilter": [envoy_filter],
    "PeerAuthentication": [peer_authentication],
    "AuthorizationPolicy": [selected, authorization_policy],
    "ServiceEntry": [service_entry],
    "DestinationRule": [destination_rule],
    "EnvoyExtensionPolicy": [extension_policy],
    "ClientTrafficPolicy": [traffic_policy],
    "EnvoyPatchPolicy": [patch_policy],
    "EnvoyProxy": [envoy_proxy],
    "Gateway": [gateway],
    "HTTPRoute": [http_route],
}
