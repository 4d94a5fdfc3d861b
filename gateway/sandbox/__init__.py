"""A double of RDV-Solidarités on a real socket, for trying and testing the gateway.

It is not the real service and holds invented people only. It knows nothing of the rest of the gateway: it was built
from the behaviour of the real server, so that an error of the gateway's own client cannot hide behind the same error
here. `server.Sandbox` runs it; `seed` fills it.
"""
