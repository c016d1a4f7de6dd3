"""PS3.8 table 9-10, walked: every event in every state, against the standard's cells and against pynetdicom's."""

from __future__ import annotations

import random
from itertools import product

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from proxy.wire.upper_layer import TooLate, UpperLayer
from proxy.wire.upper_layer_table import ACTIONS, TRANSITIONS, Action, Do, Event, State

EVERY = list(product(State, Event))
#: what the transport brings, in the order of PS3.8 table 9-10
FROM_OUTSIDE = [Event(n) for n in (2, 3, 4, 5, 6, 10, 12, 13, 16, 17, 18, 19)]
SENDS_DATA = {State.ESTABLISHED, State.AWAITING_LOCAL_RELEASE}


def test_every_event_in_every_state_has_an_action() -> None:
    assert set(TRANSITIONS) == set(EVERY)
    assert set(ACTIONS) == set(Action)


@pytest.mark.parametrize(("state", "event"), EVERY, ids=lambda x: x.name)
def test_the_cell_is_that_of_an_independent_table(state: State, event: Event) -> None:
    theirs = TRANSITION_TABLE.get((f"Evt{event.value}", f"Sta{state.value}"))
    ours = TRANSITIONS[state, event]
    assert (None if ours in (Action.NONE, Action.LATE) else ours.name.replace("_", "-")) == theirs


@pytest.mark.parametrize("requestor", [True, False])
@pytest.mark.parametrize(("state", "event"), EVERY, ids=lambda x: x.name)
def test_a_step_ends_in_a_state_or_changes_nothing(state: State, event: Event, requestor: bool) -> None:
    machine = UpperLayer(requestor)
    machine.state = state
    try:
        done = machine.step(event)
    except TooLate:
        assert event not in FROM_OUTSIDE  # nobody outside can make us raise
        assert machine.state is state
        return
    assert machine.state in State
    assert (Do.SEND_P_DATA in done) <= (state in SENDS_DATA)
    assert (Do.INDICATE_P_DATA in done) <= (event is Event.P_DATA_TF)


@pytest.mark.parametrize("requestor", [True, False])
def test_from_every_state_the_end_of_the_connection_is_the_end(requestor: bool) -> None:
    for state in State:
        machine = UpperLayer(requestor)
        machine.state = state
        machine.step(Event.CONNECTION_CLOSED)
        assert machine.state is State.IDLE


@pytest.mark.parametrize("requestor", [True, False])
def test_release_collision(requestor: bool) -> None:
    """PS3.8 7.2.2.7: the requestor answers first."""
    machine = UpperLayer(requestor)
    machine.state = State.ESTABLISHED
    machine.step(Event.RELEASE_REQUEST)
    assert machine.step(Event.RELEASE_RQ) == (Do.INDICATE_RELEASE,)
    if requestor:
        assert machine.step(Event.RELEASE_RESPONSE) == (Do.SEND_RELEASE_RP,)
        assert Do.CLOSE in machine.step(Event.RELEASE_RP)
    else:
        assert machine.step(Event.RELEASE_RP) == (Do.CONFIRM_RELEASE,)
        assert Do.SEND_RELEASE_RP in machine.step(Event.RELEASE_RESPONSE)
    assert machine.over


def test_random_walks_never_leave_the_table() -> None:
    chance = random.Random(6)
    for _ in range(2000):
        machine = UpperLayer(chance.random() < 0.5)
        for _ in range(30):
            try:
                machine.step(chance.choice(list(Event)))
            except TooLate:
                continue
            assert machine.state in State
