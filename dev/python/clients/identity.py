"""As much of Keystone as clients need to log in and to find the reservation service: no token is checked here, because
the service under test checks every one itself."""
import http.server
import json
import threading

REGION = "RegionOne"


class Identity:
    """Logs everybody in with the password as the token, and names one service in its catalog."""

    def __init__(self, reservation_url, project_id):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(reservation_url, project_id))
        self.url = f"http://127.0.0.1:{self.server.server_port}/v3"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self, reservation_url, project_id):
        identity = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body, **headers):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": identity.url}]}
                self.answer(200, {"version": version} if self.path.startswith("/v3") else {"versions": {"values": [version]}})

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]["identity"]
                if "token" in asked["methods"]:
                    secret = asked["token"]["id"]
                else:
                    secret = asked["password"]["user"]["password"]
                self.answer(201, {"token": catalog(identity.url, reservation_url, project_id)}, X_Subject_Token=secret)

        return Handler


def catalog(identity_url, reservation_url, project_id):
    """The body of a token: who, where, and which services there are."""
    def service(kind, url):
        return {"type": kind, "name": kind, "id": kind, "endpoints": [
            {"id": f"{kind}-{interface}", "interface": interface, "region": REGION, "region_id": REGION, "url": url}
            for interface in ("public", "internal", "admin")]}
    return {
        "methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z",
        "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": project_id, "name": "p", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "r", "name": "admin"}],
        "catalog": [service("identity", identity_url), service("reservation", reservation_url)],
    }
