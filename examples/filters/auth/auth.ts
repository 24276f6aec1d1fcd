// Lets a request through when it carries a known token, and answers 401 otherwise.
// Configuration, one user on a line:
//
//     TOKEN USER
//
// The upstream gets the user's name as x-user and does not get to see the token.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  LogLevelValues,
  RootContext,
  log,
  makeHeaderPair,
  registerRootContext,
  send_http_response,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { ensureContext } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

class AuthRoot extends RootContext {
  users: Map<string, string> = new Map();

  onConfigure(size: u32): bool {
    if (!super.onConfigure(size)) return false;
    // When the plugin ends, the SDK looks for its context among those of the streams, and aborts when it is not there.
    ensureContext(this.context_id, this.context_id);
    const lines = this.getConfiguration().split("\n");
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i].trim();
      if (line.length == 0) continue;
      const space = line.indexOf(" ");
      if (space < 1) {
        log(LogLevelValues.error, "line " + (i + 1).toString() + " of the configuration is not: TOKEN USER");
        return false; // better no proxy than one that lets nobody, or anybody, in
      }
      this.users.set(line.substring(0, space), line.substring(space + 1).trim());
    }
    return true;
  }

  createContext(id: u32): Context {
    return new Auth(id, this);
  }
}

class Auth extends Context {
  constructor(id: u32, private root: AuthRoot) {
    super(id, root);
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.request;
    // Whatever a client claims about itself must not survive, whether we let it in or not.
    headers.remove("x-user");
    const given = headers.get("authorization");
    if (!given.startsWith("Bearer ")) return deny("a token is needed", "auth_missing");
    const token = given.substring(7);
    if (!this.root.users.has(token)) return deny("the token is not known", "auth_unknown");
    headers.remove("authorization");
    headers.add("x-user", this.root.users.get(token));
    return FilterHeadersStatusValues.Continue;
  }
}

function deny(reason: string, details: string): FilterHeadersStatusValues {
  log(LogLevelValues.info, "denied: " + reason);
  send_http_response(401, details, String.UTF8.encode(reason + "\n"), [
    makeHeaderPair("www-authenticate", 'Bearer realm="tamis"'),
    makeHeaderPair("content-type", "text/plain"),
  ]);
  // The answer leaves when this callback has returned; the request itself stops here.
  return FilterHeadersStatusValues.StopIteration;
}

registerRootContext((id: u32) => new AuthRoot(id), "auth");
