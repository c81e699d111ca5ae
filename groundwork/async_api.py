"""A DRF view whose handlers are coroutines."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView


class FirstRenderer(BaseContentNegotiation):
    """Ignores what the client says it accepts: the answers have one form."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class AsyncAPIView(APIView):
    """DRF's request life cycle run in the event loop; DRF's own ``dispatch`` cannot await."""

    content_negotiation_class = FirstRenderer

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Run the handler of the request's method; exceptions become DRF's responses."""
        self.args = args
        self.kwargs = kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(self.request, *args, **kwargs)
            response = await self._handler(self.request)(self.request, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response

    def _handler(self, request: Request) -> Any:
        name = (request.method or "").lower()
        if name in self.http_method_names:
            return getattr(self, name, self._refuse_method)
        return self._refuse_method

    async def _refuse_method(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return self.http_method_not_allowed(request, *args, **kwargs)
