"""The side that has work done: it adds jobs, and looks at some of their results."""

from __future__ import annotations

from huey.api import chord

from tasks import charge, huey, send_mail, total

mails = [send_mail(name, "hello") for name in ("ann", "bob", "eve")]
for mail in mails:
    print(mail.get(blocking=True, timeout=30))

late = send_mail.schedule(("zoe", "a second later"), delay=1)
never = send_mail.schedule(("max", "not at all"), delay=1)
never.revoke()
print(late.get(blocking=True, timeout=30))

sums = huey.enqueue(chord([charge.s("ann", 1200), charge.s("bob", 34)], total))
print("together:", sums.get(blocking=True, timeout=30))
