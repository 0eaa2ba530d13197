"""Minutes as the API writes them."""
import datetime


def minute(ahead=0.0):
    """The UTC minute `ahead` seconds from now, as the API wants it."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)).strftime("%Y-%m-%d %H:%M")


def until(text):
    """Seconds from now to a moment written by `minute`."""
    moment = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=datetime.timezone.utc)
    return (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
