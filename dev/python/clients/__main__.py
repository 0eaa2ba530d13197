"""The clients people use, unmodified, against a running service that takes a token of an administrator.

    python -B dev/python/clients URL TOKEN PROJECT_ID    (URL without /v1)

Prints a line for each client and ends with an exception at the first thing that is not as it should be.
"""
import sys
import warnings

warnings.simplefilter("ignore")

import adapter
import commands
import dashboard
import identity
import programs


def main():
    url, token, project_id = sys.argv[1:]
    reservation_url = f"{url}/v1"
    keystone = identity.Identity(reservation_url, project_id)
    programs.log_in(keystone.url, token)
    print("python-blazarclient:", commands.main(), flush=True)
    print("openstacksdk:", adapter.main(keystone.url, token), flush=True)
    print("blazar-dashboard:", dashboard.main(keystone.url, reservation_url, token, project_id), flush=True)


if __name__ == "__main__":
    main()
