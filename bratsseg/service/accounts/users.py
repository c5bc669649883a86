"""Users: make one, change one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bratsseg.service.accounts.passwords import hash_password
from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.sessions import end_sessions
from bratsseg.service.accounts.tokens import revoke_tokens
from bratsseg.service.records import Store, User
from bratsseg.service.refusal import Refusal

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def any_user(store: Store) -> bool:
    """True once somebody can log in."""
    with store.reading() as session:
        return bool(session.scalar(select(func.count()).select_from(User).where(User.active)))


def add_user(session: Session, name: str, password: str, roles: Iterable[Role]) -> User:
    """A new user; a ``Refusal`` when the name is taken or unfit, the password unfit, or no role is given."""
    wanted = sorted({str(role) for role in roles})
    if not _NAME.fullmatch(name):
        text = "a user's name must be 1 to 64 letters, digits and . _ @ -, and begin with a letter or digit"
        raise Refusal(422, "name_unfit", text)
    if not wanted:
        raise _role_missing()
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise Refusal(409, "name_taken", f"there is a user {name} already")
    user = User(name=name, roles=wanted, password_hash=hash_password(password, name))
    session.add(user)
    session.flush()
    return user


def set_password(session: Session, user: User, password: str, *, keep_session: str = "") -> None:
    """A new password; every other session of the user ends, and every API token."""
    user.password_hash = hash_password(password, user.name)
    revoke_tokens(session, user.id)
    end_sessions(session, user.id, but=keep_session)


def change_user(session: Session, user: User, roles: Iterable[Role] | None, active: bool | None) -> None:
    """Change roles or switch a user on or off; a ``Refusal`` when no role or no administrator would be left."""
    if roles is not None:
        user.roles = sorted({str(role) for role in roles})
        if not user.roles:
            raise _role_missing()
    if active is not None:
        user.active = active
    session.flush()
    others = session.scalars(select(User).where(User.active))
    if not any(Role.ADMINISTRATOR in other.roles for other in others):
        raise Refusal(409, "last_administrator", "one active administrator must remain")
    if not user.active:
        end_sessions(session, user.id)
        revoke_tokens(session, user.id)


def _role_missing() -> Refusal:
    """A user without any role."""
    return Refusal(422, "role_missing", f"a user must have one role or more of {', '.join(Role)}")
