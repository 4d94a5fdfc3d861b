"""`check` shows the network, and a certificate that ends is a problem of this machine."""

from tests.servers.authority import Authority


def test_the_way_to_each_host_is_shown(deployment, monkeypatch):
    """And that a variable of the environment is not used."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:1")
    answer = deployment.cli("check", "--json")
    assert answer.code == 0
    details = {each["what"]: each["detail"] for each in answer.json["checks"]}
    for url in (deployment.double.url, deployment.calendars_url):
        assert details[f"network: {url.removeprefix('http://').rstrip('/')}"] == "directly: this machine"
    assert "HTTPS_PROXY" in details["network: environment"]
    assert "hunter2" not in answer.out + answer.err


def test_a_client_certificate_that_ends_soon_is_told_with_its_remedy(deployment):
    """Thirty days ahead, while everything still works."""
    directory = deployment.cli.config.parent
    Authority(directory).client("gateway", days=20)
    text = deployment.cli.config.read_text()
    lines = '[network]\nclient_certificate_file = "gateway.pem"\nclient_key_file = "gateway.key"\n'
    deployment.cli.config.write_text(f"{text}\n{lines}")
    answer = deployment.cli("check", "--json")
    assert answer.code == 2
    (problem,) = [each for each in answer.json["checks"] if not each["ok"]]
    assert (problem["what"], problem["system"], problem["addressee"]) == (
        "network: client certificate",
        "network",
        "it",
    )
    assert "gateway" in problem["detail"]
    assert problem["remedy"].startswith("Have a new one issued")
