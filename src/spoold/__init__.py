"""spoold: a durable queue server that speaks the protocols your clients already speak."""

__version__ = "0.1.0"
