// Asks a gRPC server who a request is from, and lets it through with the answer as x-user, or answers 403.
// Configuration: the cluster of the server.
//
// The SDK has the calls of the ABI and no class around them, so this filter makes them itself.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BufferTypeValues,
  Context,
  FilterHeadersStatusValues,
  LogLevelValues,
  RootContext,
  get_buffer_bytes,
  log,
  registerRootContext,
  send_http_response,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { proxy_continue_stream, proxy_grpc_call, proxy_set_effective_context } from "@gcoredev/proxy-wasm-sdk-as/assembly/imports";
import { ensureContext } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

const SERVICE = String.UTF8.encode("shop.Users");
const METHOD = String.UTF8.encode("Who");
const TIMEOUT_MS: u32 = 500;

// Where the host writes a call's token.
const tokenCell = new StaticArray<u32>(1);

class UsersRoot extends RootContext {
  // The streams that wait, by the tokens of their calls.
  waiting: Map<u32, u32> = new Map();

  onConfigure(size: u32): bool {
    if (!super.onConfigure(size)) return false;
    // When the plugin ends, the SDK looks for its context among those of the streams, and aborts when it is not there.
    ensureContext(this.context_id, this.context_id);
    return this.getConfiguration().length > 0;
  }

  createContext(id: u32): Context {
    return new Users(id, this);
  }

  // Begins a call for a stream; whether it could be begun.
  ask(stream: u32, token: string): bool {
    const cluster = String.UTF8.encode(this.getConfiguration());
    const message = String.UTF8.encode(token);
    const status = proxy_grpc_call(
      changetype<usize>(cluster), cluster.byteLength, changetype<usize>(SERVICE), SERVICE.byteLength,
      changetype<usize>(METHOD), METHOD.byteLength, changetype<usize>(message), message.byteLength,
      TIMEOUT_MS, changetype<usize>(tokenCell));
    if (status != 0) return false;
    this.waiting.set(tokenCell[0], stream);
    return true;
  }

  on_grpc_receive(token: u32, size: u32): void {
    const user = String.UTF8.decode(get_buffer_bytes(BufferTypeValues.GrpcReceiveBuffer, 0, size));
    if (!this.wake(token)) return;
    stream_context.headers.request.add("x-user", user);
    proxy_continue_stream(0);
  }

  on_grpc_close(token: u32, status: u32): void {
    if (!this.wake(token)) return;
    log(LogLevelValues.warn, "nobody could say: " + status.toString());
    send_http_response(403, "unknown_user", String.UTF8.encode("unknown user\n"), []);
  }

  // Lets what follows be about the stream that waits for this call; false when none does.
  wake(token: u32): bool {
    if (!this.waiting.has(token)) return false;
    proxy_set_effective_context(this.waiting.get(token));
    this.waiting.delete(token);
    return true;
  }
}

class Users extends Context {
  constructor(id: u32, private users: UsersRoot) {
    super(id, users);
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.request;
    headers.remove("x-user");
    if (this.users.ask(this.context_id, headers.get("authorization"))) {
      return FilterHeadersStatusValues.StopAllIterationAndWatermark;
    }
    send_http_response(503, "no_users", String.UTF8.encode("nobody can be asked\n"), []);
    return FilterHeadersStatusValues.StopIteration;
  }
}

registerRootContext((id: u32) => new UsersRoot(id), "users");
