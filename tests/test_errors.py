import inspect

from leap_eval import errors

KINDS = [k for _, k in inspect.getmembers(errors, inspect.isclass)]


def test_every_kind_of_error_has_an_exit_code_of_its_own():
    codes = [k.exit_code for k in KINDS]
    assert len(set(codes)) == len(codes)


def test_no_exit_code_collides_with_success_crash_or_wrong_usage():
    assert min(k.exit_code for k in KINDS) >= 10


def test_every_kind_of_error_is_an_expected_one():
    assert all(issubclass(k, errors.LeapError) for k in KINDS)
