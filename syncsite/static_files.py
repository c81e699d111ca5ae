"""Static files through WhiteNoise, under ASGI."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc] # WhiteNoise is untyped
    """WhiteNoise, answering with the whole file at once.

    Its own answer is a synchronous iterator, which Django under ASGI reads to the end in memory
    anyway, with a warning for each file.
    """

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found: Any = static_file.get_response(request.method, request.META)
        response = HttpResponse(status=int(found.status))
        del response.headers["Content-Type"]
        for name, value in found.headers:
            response.headers[name] = value
        if found.file is not None:
            with found.file as file:
                response.content = file.read()
        return response
