"""The state machine of the DICOM upper layer as tables: PS3.8 table 9-10, and the actions of tables 9-6 to 9-9.

Every event has a cell in every state. Where the standard leaves it empty, the event is either one of our own that has
come too late or too early (`Action.LATE`: nothing happens, and who caused it is told), or one that the transport
cannot bring in that state (`Action.NONE`). Pure data.
"""

from __future__ import annotations

from enum import Enum, IntEnum, auto


class Event(Enum):
    """PS3.8 table 9-10, in its order: Evt1 to Evt19."""

    ASSOCIATE_REQUEST = 1
    CONNECTED = 2
    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    CONNECTION_ACCEPTED = 5
    ASSOCIATE_RQ = 6
    ACCEPT = 7
    REJECT = 8
    P_DATA_REQUEST = 9
    P_DATA_TF = 10
    RELEASE_REQUEST = 11
    RELEASE_RQ = 12
    RELEASE_RP = 13
    RELEASE_RESPONSE = 14
    ABORT_REQUEST = 15
    ABORT_PDU = 16
    CONNECTION_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


class State(IntEnum):
    """PS3.8 tables 9-1 to 9-5."""

    IDLE = 1
    AWAITING_REQUEST = 2
    AWAITING_LOCAL_ANSWER = 3
    CONNECTING = 4
    AWAITING_ANSWER = 5
    ESTABLISHED = 6
    AWAITING_RELEASE_RP = 7
    AWAITING_LOCAL_RELEASE = 8
    COLLISION_REQUESTOR_LOCAL = 9
    COLLISION_ACCEPTOR_RP = 10
    COLLISION_REQUESTOR_RP = 11
    COLLISION_ACCEPTOR_LOCAL = 12
    AWAITING_CLOSE = 13


class Do(Enum):
    """What a transition asks of whoever has the socket and the user, in order."""

    CONNECT = auto()
    SEND_ASSOCIATE_RQ = auto()
    SEND_ASSOCIATE_AC = auto()
    SEND_ASSOCIATE_RJ = auto()
    SEND_P_DATA = auto()
    SEND_RELEASE_RQ = auto()
    SEND_RELEASE_RP = auto()
    SEND_ABORT_BY_USER = auto()
    SEND_ABORT_BY_PROVIDER = auto()
    START_ARTIM = auto()
    STOP_ARTIM = auto()
    CLOSE = auto()
    INDICATE_REQUEST = auto()
    CONFIRM_ACCEPTED = auto()
    CONFIRM_REJECTED = auto()
    INDICATE_P_DATA = auto()
    INDICATE_RELEASE = auto()
    CONFIRM_RELEASE = auto()
    INDICATE_ABORT = auto()


class Action(Enum):
    """PS3.8 tables 9-6 to 9-9, and the two for cells that the standard leaves empty."""

    AE_1, AE_2, AE_3, AE_4, AE_5, AE_6, AE_7, AE_8 = range(1, 9)
    DT_1, DT_2 = 11, 12
    AR_1, AR_2, AR_3, AR_4, AR_5, AR_6, AR_7, AR_8, AR_9, AR_10 = range(21, 31)
    AA_1, AA_2, AA_3, AA_4, AA_5, AA_6, AA_7, AA_8 = range(31, 39)
    NONE = 41
    LATE = 42


_S = State
#: action → what to do, and the next state; None: it stays
ACTIONS: dict[Action, tuple[tuple[Do, ...], State | None]] = {
    Action.AE_1: ((Do.CONNECT,), _S.CONNECTING),
    Action.AE_2: ((Do.SEND_ASSOCIATE_RQ,), _S.AWAITING_ANSWER),
    Action.AE_3: ((Do.CONFIRM_ACCEPTED,), _S.ESTABLISHED),
    Action.AE_4: ((Do.CONFIRM_REJECTED, Do.CLOSE), _S.IDLE),
    Action.AE_5: ((Do.START_ARTIM,), _S.AWAITING_REQUEST),
    Action.AE_6: ((Do.STOP_ARTIM, Do.INDICATE_REQUEST), _S.AWAITING_LOCAL_ANSWER),
    Action.AE_7: ((Do.SEND_ASSOCIATE_AC,), _S.ESTABLISHED),
    Action.AE_8: ((Do.SEND_ASSOCIATE_RJ, Do.START_ARTIM), _S.AWAITING_CLOSE),
    Action.DT_1: ((Do.SEND_P_DATA,), _S.ESTABLISHED),
    Action.DT_2: ((Do.INDICATE_P_DATA,), _S.ESTABLISHED),
    Action.AR_1: ((Do.SEND_RELEASE_RQ,), _S.AWAITING_RELEASE_RP),
    Action.AR_2: ((Do.INDICATE_RELEASE,), _S.AWAITING_LOCAL_RELEASE),
    Action.AR_3: ((Do.CONFIRM_RELEASE, Do.CLOSE), _S.IDLE),
    Action.AR_4: ((Do.SEND_RELEASE_RP, Do.START_ARTIM), _S.AWAITING_CLOSE),
    Action.AR_5: ((Do.STOP_ARTIM,), _S.IDLE),
    Action.AR_6: ((Do.INDICATE_P_DATA,), _S.AWAITING_RELEASE_RP),
    Action.AR_7: ((Do.SEND_P_DATA,), _S.AWAITING_LOCAL_RELEASE),
    Action.AR_8: ((Do.INDICATE_RELEASE,), None),  # to which state the role decides: `UpperLayer.step`
    Action.AR_9: ((Do.SEND_RELEASE_RP,), _S.COLLISION_REQUESTOR_RP),
    Action.AR_10: ((Do.CONFIRM_RELEASE,), _S.COLLISION_ACCEPTOR_LOCAL),
    Action.AA_1: ((Do.SEND_ABORT_BY_USER, Do.START_ARTIM), _S.AWAITING_CLOSE),
    Action.AA_2: ((Do.STOP_ARTIM, Do.CLOSE), _S.IDLE),
    Action.AA_3: ((Do.INDICATE_ABORT, Do.CLOSE), _S.IDLE),
    Action.AA_4: ((Do.INDICATE_ABORT,), _S.IDLE),
    Action.AA_5: ((Do.STOP_ARTIM,), _S.IDLE),
    Action.AA_6: ((), _S.AWAITING_CLOSE),
    Action.AA_7: ((Do.SEND_ABORT_BY_PROVIDER,), _S.AWAITING_CLOSE),
    Action.AA_8: ((Do.SEND_ABORT_BY_PROVIDER, Do.INDICATE_ABORT, Do.START_ARTIM), _S.AWAITING_CLOSE),
    Action.NONE: ((), None),
    Action.LATE: ((), None),
}

# One row an event, one column a state (Sta1 to Sta13). "-" the transport cannot bring; "late" is ours at a wrong time.
_TABLE = """
 1 AE-1 late late late late late late late late late late late late
 2 -    -    -    AE-2 -    -    -    -    -    -    -    -    -
 3 -    AA-1 AA-8 -    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
 4 -    AA-1 AA-8 -    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
 5 AE-5 -    -    -    -    -    -    -    -    -    -    -    -
 6 -    AE-6 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-7
 7 late late AE-7 late late late late late late late late late late
 8 late late AE-8 late late late late late late late late late late
 9 late late late late late DT-1 late AR-7 late late late late late
10 -    AA-1 AA-8 -    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
11 late late late late late AR-1 late late late late late late late
12 -    AA-1 AA-8 -    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6
13 -    AA-1 AA-8 -    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3 AA-8 AA-6
14 late late late late late late late AR-4 AR-9 late late AR-4 late
15 late late AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 late
16 -    AA-2 AA-3 -    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-2
17 -    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AR-5
18 -    AA-2 -    -    -    -    -    -    -    -    -    -    AA-2
19 -    AA-1 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-7
"""


def _action(word: str) -> Action:
    return {"-": Action.NONE, "late": Action.LATE}.get(word) or Action[word.replace("-", "_")]


def _read(table: str) -> dict[tuple[State, Event], Action]:
    cells: dict[tuple[State, Event], Action] = {}
    for line in table.split("\n"):
        number, *words = line.split() or [""]
        for state, word in zip(State, words, strict=False):
            cells[state, Event(int(number))] = _action(word)
    return cells


#: (state, event) → action; total: tests walk it
TRANSITIONS: dict[tuple[State, Event], Action] = _read(_TABLE)
