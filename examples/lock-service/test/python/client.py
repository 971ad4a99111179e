"""python3-consul, as Debian has it, beside three replicas whose ports are the arguments. What is asserted here is what it promises.

Says "ready" when it holds a lock through the first replica, and waits for a line; by then that replica is dead.
"""

import json
import sys
import threading
import time

import consul
from consul.base import CB

ports = [int(port) for port in sys.argv[1:4]]
first, second, third = [consul.Consul(host="127.0.0.1", port=port) for port in ports]


def keys():
    assert first.kv.get("python/none") == ("1", None), first.kv.get("python/none")
    assert first.kv.put("python/a", "text") is True
    assert first.kv.put("python/b", b"\x00\xff", flags=2**64 - 1) is True
    assert first.kv.put("python/c", None) is True
    index, value = second.kv.get("python/b")
    assert value["Value"] == b"\x00\xff" and value["Flags"] == 2**64 - 1 and index == str(value["ModifyIndex"]), value
    assert second.kv.get("python/c")[1]["Value"] is None
    assert [key["Key"] for key in third.kv.get("python/", recurse=True)[1]] == ["python/a", "python/b", "python/c"]
    assert third.kv.get("python/", keys=True)[1] == ["python/a", "python/b", "python/c"]
    assert third.kv.get("py", keys=True, separator="/")[1] == ["python/"]
    assert first.kv.put("python/a", "no", cas=0) is False
    assert first.kv.put("python/a", "yes", cas=second.kv.get("python/a")[1]["ModifyIndex"]) is True
    assert second.kv.delete("python/a", cas=1) is False
    assert second.kv.get("python/a", consistency="consistent")[1]["Value"] == b"yes"
    assert second.kv.delete("python/", recurse=True) is True
    assert third.kv.get("python/", recurse=True)[1] is None


def sessions():
    session = first.session.create(name="python", node="python-node", lock_delay=20, ttl=15, behavior="delete")
    shown = second.session.info(session)[1]
    assert (shown["Name"], shown["Node"], shown["LockDelay"], shown["TTL"], shown["Checks"]) == ("python", "python-node", 20 * 10**9, "15s", ["serfHealth"]), shown
    assert session in [each["ID"] for each in third.session.list()[1]]
    assert [each["ID"] for each in third.session.node("python-node")[1]] == [session]
    assert third.session.renew(session)["ID"] == session
    assert second.session.destroy(session) is True
    assert first.session.info(session)[1] is None
    try:
        first.session.renew(session)
        raise AssertionError("renewed")
    except consul.NotFound as error:
        assert str(error) == "Session id '%s' not found" % session, error
    try:
        first.kv.put("python/lock", "x", acquire=session)
        raise AssertionError("acquired")
    except consul.ConsulException as error:
        assert str(error) == '500 invalid session "%s"' % session, error


def blocking():
    index, _ = first.kv.get("python/watched")
    found = []
    thread = threading.Thread(target=lambda: found.append(second.kv.get("python/watched", index=index, wait="60s")))
    thread.start()
    time.sleep(0.05)
    assert first.kv.put("python/watched", "now") is True
    thread.join(30)
    assert found[0][1]["Value"] == b"now" and int(found[0][0]) > int(index), found


def transactions():
    body = json.dumps([
        {"KV": {"Verb": "set", "Key": "python/t", "Value": "aGVsbG8=", "Flags": 2**64 - 1}},
        {"KV": {"Verb": "get", "Key": "python/t"}},
    ])
    done = first.http.put(CB.json(), "/v1/txn", data=body)
    assert done["Errors"] is None and [each["KV"]["Flags"] for each in done["Results"]] == [2**64 - 1] * 2, done
    assert done["Results"][1]["KV"]["Value"] == "aGVsbG8=", done


def nodes():
    assert first.agent.self()["Config"]["NodeName"] == "lockstep-1"
    assert [first.status.leader(), first.status.peers()] == ["127.0.0.1:%d" % ports[0], ["127.0.0.1:%d" % ports[0]]]
    assert [node["Node"] for node in second.catalog.nodes()[1]] == ["lockstep-1", "lockstep-2", "lockstep-3"]


def failover():
    session = first.session.create(ttl=60)
    rival = second.session.create(lock_delay=1)
    assert first.kv.put("python/failover", "first", acquire=session) is True
    assert second.kv.put("python/failover", "rival", acquire=rival) is False
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        first.session.renew(session)
        raise AssertionError("the first replica lives")
    except IOError:
        pass
    deadline = time.monotonic() + 30
    while True:
        try:
            assert second.session.renew(session)["ID"] == session
            break
        except consul.ConsulException as error:
            assert str(error) == "500 No cluster leader" and time.monotonic() < deadline, error
            time.sleep(0.02)
    assert third.kv.put("python/failover", "second", acquire=session) is True
    assert third.kv.get("python/failover")[1]["LockIndex"] == 1
    assert third.kv.put("python/failover", "done", release=session) is True
    assert second.kv.put("python/failover", "rival", acquire=rival) is True
    assert third.kv.get("python/failover")[1]["LockIndex"] == 2


for check in [keys, sessions, blocking, transactions, nodes, failover]:
    check()
    print("done", check.__name__, flush=True)
