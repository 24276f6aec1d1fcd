// Asks another service about every request before it goes on. Configuration:
//
//     CLUSTER PATH                    auth_service /check, which is also what holds without a configuration
//
// The service sees the request's method, path and authorization. When it says 200 the request goes on, with the
// service's x-user header; any other answer is given to the client as it came, without one the client gets 503.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BaseContext,
  BufferTypeValues,
  Context,
  FilterHeadersStatusValues,
  LogLevelValues,
  RootContext,
  WasmResultValues,
  get_buffer_bytes,
  log,
  makeHeaderPair,
  registerRootContext,
  send_http_response,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { ensureContext } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

const TIMEOUT_MS: u32 = 2000;

class GateRoot extends RootContext {
  cluster: string = "auth_service";
  path: string = "/check";

  onConfigure(size: u32): bool {
    if (!super.onConfigure(size)) return false;
    // When the plugin ends, the SDK looks for its context among those of the streams, and aborts when it is not there.
    ensureContext(this.context_id, this.context_id);
    if (size == 0) return true;
    const words = this.getConfiguration().trim().split(" ");
    if (words.length != 2) {
      log(LogLevelValues.error, "the configuration is: CLUSTER PATH");
      return false;
    }
    this.cluster = words[0];
    this.path = words[1];
    return true;
  }

  createContext(id: u32): Context {
    return new Gate(id, this);
  }
}

class Gate extends Context {
  gone: bool = false;

  constructor(id: u32, private root: GateRoot) {
    super(id, root);
  }

  onDelete(): void {
    this.gone = true;
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const request = stream_context.headers.request;
    const ask = [
      makeHeaderPair(":method", "GET"),
      makeHeaderPair(":path", this.root.path),
      makeHeaderPair(":authority", this.root.cluster),
      makeHeaderPair("x-original-method", request.get(":method")),
      makeHeaderPair("x-original-path", request.get(":path")),
      makeHeaderPair("authorization", request.get("authorization")),
    ];
    const result = this.root.httpCall(this.root.cluster, ask, new ArrayBuffer(0), [], TIMEOUT_MS, this, onAnswer);
    if (result != WasmResultValues.Ok) {
      // No callback will come for a call that never left, so the request must be answered here.
      log(LogLevelValues.error, "cannot call " + this.root.cluster + ": " + result.toString());
      unavailable();
    }
    return FilterHeadersStatusValues.StopIteration;
  }
}

// AssemblyScript has no closures, so the stream is handed over as an argument. The SDK has already made it the
// effective context: header and stream calls here mean the waiting request, not the plugin.
function onAnswer(stream: BaseContext, headers: u32, size: usize, trailers: u32): void {
  if ((stream as Gate).gone) return; // the client did not wait: there is no request any more
  if (headers == 0) return unavailable(); // the call failed: nothing came back at all
  const answer = stream_context.headers.http_callback;
  const status = answer.get(":status");
  if (status == "200") {
    stream_context.headers.request.replace("x-user", answer.get("x-user"));
    stream.continueRequest();
    return;
  }
  const body = get_buffer_bytes(BufferTypeValues.HttpCallResponseBody, 0, size as u32);
  send_http_response(I32.parseInt(status) as u32, "gate_denied", body, []);
}

function unavailable(): void {
  send_http_response(503, "gate_unavailable", String.UTF8.encode("the gate cannot be asked\n"), []);
}

registerRootContext((id: u32) => new GateRoot(id), "http_gate");
