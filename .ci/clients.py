"""What the Python client does with a cluster. Needs KUBECONFIG, and an image with a shell as its argument."""

import sys
import threading
import unittest
import uuid

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream

NAMESPACE = "python-" + uuid.uuid4().hex[:8]
IMAGE = sys.argv.pop() if len(sys.argv) > 1 else "busybox"
LABELS = {"app": "web"}


def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=LABELS), data=data)


def until(events, wanted):
    """The objects of a watch, up to one that is wanted."""
    for event in events:
        if wanted(event["type"], event["object"]):
            return event["object"]
    raise AssertionError("the watch ended before it came")


class PythonClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        config.load_kube_config()
        cls.core, cls.apps = client.CoreV1Api(), client.AppsV1Api()
        cls.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))

    @classmethod
    def tearDownClass(cls):
        cls.core.delete_namespace(NAMESPACE)

    def test_objects(self):
        made = self.core.create_namespaced_config_map(NAMESPACE, config_map("a", k="v"))
        with self.assertRaises(ApiException) as again:
            self.core.create_namespaced_config_map(NAMESPACE, config_map("a"))
        self.assertEqual((again.exception.status, again.exception.reason), (409, "Conflict"))
        made.data["k"] = "w"
        changed = self.core.replace_namespaced_config_map("a", NAMESPACE, made)
        with self.assertRaises(ApiException) as stale:
            self.core.replace_namespaced_config_map("a", NAMESPACE, made)
        self.assertEqual(stale.exception.status, 409)
        self.assertGreater(int(changed.metadata.resource_version), int(made.metadata.resource_version))
        patched = self.core.patch_namespaced_config_map("a", NAMESPACE, {"data": {"x": "y"}})
        self.assertEqual(patched.data, {"k": "w", "x": "y"})
        self.core.delete_namespaced_config_map("a", NAMESPACE)
        with self.assertRaises(ApiException) as gone:
            self.core.read_namespaced_config_map("a", NAMESPACE)
        self.assertEqual(gone.exception.status, 404)

    def test_pages(self):
        for i in range(5):
            self.core.create_namespaced_config_map(NAMESPACE, config_map(f"page-{i}", page="yes"))
        names, token = [], None
        while token != "":
            page = self.core.list_namespaced_config_map(
                NAMESPACE, label_selector="app=web", limit=2, _continue=token
            )
            names += [item.metadata.name for item in page.items]
            token = page.metadata._continue or ""
        self.assertEqual([n for n in names if n.startswith("page-")], [f"page-{i}" for i in range(5)])

    def test_watch(self):
        version = self.core.list_namespaced_secret(NAMESPACE).metadata.resource_version
        secret = client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"a": "b"})
        later = threading.Thread(target=self.core.create_namespaced_secret, args=(NAMESPACE, secret))
        events = watch.Watch().stream(
            self.core.list_namespaced_secret, NAMESPACE, resource_version=version, timeout_seconds=30
        )
        later.start()
        seen = until(events, lambda kind, found: kind == "ADDED" and found.metadata.name == "s")
        later.join()
        self.assertEqual(seen.data, {"a": "Yg=="})

    def test_dynamic_apply(self):
        resources = dynamic.DynamicClient(client.ApiClient()).resources
        services = resources.get(api_version="v1", kind="Service")
        body = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": LABELS, "ports": [{"port": 80, "protocol": "TCP"}]},
        }
        made = services.server_side_apply(body, namespace=NAMESPACE, field_manager="python")
        self.assertTrue(made.spec.clusterIP)
        owners = {entry.manager: entry.operation for entry in made.metadata.managedFields}
        self.assertEqual(owners["python"], "Apply")

    def test_deployment(self):
        container = client.V1Container(
            name="c", image=IMAGE, command=["sh", "-c", "echo started; exec sleep 1000"]
        )
        template = client.V1PodTemplateSpec(
            metadata=client.V1ObjectMeta(labels=LABELS),
            spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=1),
        )
        spec = client.V1DeploymentSpec(
            replicas=2, selector=client.V1LabelSelector(match_labels=LABELS), template=template
        )
        deployment = client.V1Deployment(metadata=client.V1ObjectMeta(name="web"), spec=spec)
        self.apps.create_namespaced_deployment(NAMESPACE, deployment)
        events = watch.Watch().stream(
            self.apps.list_namespaced_deployment, NAMESPACE, timeout_seconds=90
        )
        until(events, lambda _, found: found.status.ready_replicas == 2)
        pod = self.core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items[0]
        name = pod.metadata.name
        self.assertEqual(self.core.read_namespaced_pod_log(name, NAMESPACE), "started\n")
        command = dict(command=["echo", "hello"], stdout=True, stderr=True, stdin=False, tty=False)
        said = stream(self.core.connect_get_namespaced_pod_exec, name, NAMESPACE, **command)
        self.assertEqual(said, "hello\n")
        scale = self.apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 0}})
        self.assertEqual(scale.spec.replicas, 0)
        events = watch.Watch().stream(
            self.core.list_namespaced_pod, NAMESPACE, label_selector="app=web", timeout_seconds=60
        )
        until(events, lambda kind, found: kind == "DELETED" and found.metadata.name == name)


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=2, warnings="ignore").result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad} passed, {bad} failed")
    sys.exit(bad > 0)
