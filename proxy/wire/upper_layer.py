"""The DICOM upper layer as a machine without a socket (PS3.8 9.2): events go in, things to do come out.

One machine an association, the same for requestor and acceptor. What each event means in each state stands in
`upper_layer_table`; nothing here reads a byte or a clock.
"""

from __future__ import annotations

from proxy.wire.upper_layer_table import ACTIONS, TRANSITIONS, Action, Do, Event, State

_DATA = (Do.INDICATE_P_DATA,)


class TooLate(Exception):
    """Something of our own that this state of the association does not allow any more, or not yet."""


class UpperLayer:
    """The state of one association."""

    __slots__ = ("requestor", "state")

    def __init__(self, requestor: bool) -> None:
        self.requestor, self.state = requestor, State.IDLE

    def step(self, event: Event) -> tuple[Do, ...]:
        """Make the transition for ``event``. Raises `TooLate`, and then nothing has changed."""
        if event is Event.P_DATA_TF and self.state is State.ESTABLISHED:
            return _DATA  # the way of every image byte
        action = TRANSITIONS[self.state, event]
        if action is Action.LATE:
            raise TooLate(event.name)
        what, following = ACTIONS[action]
        if action is Action.AR_8:
            following = State.COLLISION_REQUESTOR_LOCAL if self.requestor else State.COLLISION_ACCEPTOR_RP
        if following is not None:
            self.state = following
        return what

    @property
    def may_send(self) -> bool:
        """Whether P-DATA may go out."""
        return self.state in (State.ESTABLISHED, State.AWAITING_LOCAL_RELEASE)

    @property
    def over(self) -> bool:
        """Whether nothing but the end of the connection is to come."""
        return self.state in (State.IDLE, State.AWAITING_CLOSE)
