"""The Lambda entry point of the console function.

It has no key and no right to anything: what the page shows, the browser asks the other functions for.
"""

from mangum import Mangum

from console.pages import create_console_app

app = create_console_app()
handler = Mangum(app, lifespan="off", text_mime_types=["text/", "application/json", "image/svg+xml"])
