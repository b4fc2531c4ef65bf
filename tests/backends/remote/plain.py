"""A bare TCP server on loopback, for answers that no framework would give."""

import asyncio
import threading


class Plain:
    """A server that does what one function says, on a thread."""

    def __init__(self, handle, tls=None):
        self._handle, self._tls = handle, tls
        self.connections = self.ended = 0
        self._loop = asyncio.new_event_loop()

    def __enter__(self):
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self._server = self._call(starting)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *error):
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            await self._handle(reader, writer)
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()
            self._loop.call_later(0.001, self._count_end)

    def _count_end(self):
        self.ended += 1

    async def _end(self):
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)
