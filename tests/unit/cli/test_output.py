"""What is printed: data whole and unchanged, nothing that a terminal would obey."""

import json

import pytest

from falcon_balances.cli import output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("m-100", "m-100"),
        ("Žlutý kůň 马", "Žlutý kůň 马"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("one\ntwo\ttab\x7f", "one\\ntwo\\ttab\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("pay \u202eEUR 001", "pay \\u202eEUR 001"),
        ("line\u2028separator", "line\\u2028separator"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_shown_escaped(text, shown):
    assert output.visible(text) == shown


def test_a_table_is_whole_when_no_terminal_shows_it(capsys):
    long_id = "x" * 300
    output.table(["id", "amount"], [[long_id, "-1.00"], ["[bold]m[/bold]", None]], right=["amount"])
    shown = capsys.readouterr()
    assert long_id in shown.out
    assert "[bold]m[/bold]" in shown.out
    assert shown.err == ""


def test_json_leaves_money_as_it_is_and_holds_no_control_characters(capsys):
    output.document({"available": "0.10", "reason": "\x1b[2J\u202e"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"available": "0.10", "reason": "\x1b[2J\u202e"}
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()


def test_json_lines_are_one_object_a_line(capsys):
    output.json_lines([{"a": "1.00"}, {"a": "2.00"}])
    assert capsys.readouterr().out == '{"a": "1.00"}\n{"a": "2.00"}\n'


def test_what_json_has_no_form_for_is_refused():
    with pytest.raises(TypeError):
        output.document({"amount": object()})


def test_messages_go_to_stderr_and_keep_their_lines(capsys):
    output.note("ready")
    output.warn("slow")
    output.fail("two\nlines\x1b")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "ready\nwarning: slow\nerror: two\nlines\\x1b\n"


def test_progress_is_silent_when_nobody_watches(capsys):
    with output.progress("sending", total=3) as advance:
        advance(1)
    with output.steps("local") as step:
        step("deploying")
    assert capsys.readouterr() == ("", "")


def test_progress_is_shown_on_stderr_when_it_is_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with output.progress("sending", total=3) as advance:
        advance(3)
    with output.steps("local") as step:
        step("deploying")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "sending" in shown.err


def test_pairs_line_up(capsys):
    output.pairs({"up": True, "endpoint_url": None})
    assert capsys.readouterr().out == "up            yes\nendpoint_url  -\n"
