"""What holds for every test."""

from hypothesis import HealthCheck, settings

# The first text that is drawn in a process costs seconds on a busy machine, and nothing here is about time.
settings.register_profile("oncoraft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("oncoraft")
