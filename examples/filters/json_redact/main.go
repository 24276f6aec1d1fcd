// Blanks out fields of JSON responses, at any depth. The configuration is their names, with commas between; without one
// they are
//
//	password,token
//
// The Proxy-Wasm ABI is spoken by hand in abi.go, so that nothing but the Go toolchain is needed.
package main

import "strings"

// One VM can serve several configurations and many streams at once; each is known by its context id.
var (
	hidden = map[uint32]map[string]bool{} // root -> names of its fields, in lower case
	roots  = map[uint32]uint32{}          // stream -> the root it belongs to
	active = map[uint32]bool{}            // streams whose response is to be rewritten
)

//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {
	if parent != 0 {
		roots[context] = parent
	}
}

//go:wasmexport proxy_on_delete
func onDelete(context uint32) {
	delete(hidden, context)
	delete(roots, context)
	delete(active, context)
}

//go:wasmexport proxy_on_configure
func onConfigure(root, size uint32) uint32 {
	text := "password,token"
	if size > 0 {
		text = string(bufferBytes(pluginConfiguration))
	}
	names := map[string]bool{}
	for _, name := range strings.Split(text, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			names[name] = true
		}
	}
	if len(names) == 0 {
		logLine(levelError, "the configuration is a list of field names: password,token")
		return 0
	}
	hidden[root] = names
	return 1
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, count, end uint32) uint32 {
	kind := header(responseHeaders, "content-type")
	if end == 0 && strings.HasPrefix(kind, "application/json") && header(responseHeaders, "content-encoding") == "" {
		active[context] = true
		removeHeader(responseHeaders, "content-length") // it will not be true any more
	}
	return actionContinue
}

//go:wasmexport proxy_on_response_body
func onResponseBody(context, size, end uint32) uint32 {
	if !active[context] {
		return actionContinue
	}
	if end == 0 {
		return actionPause // JSON can only be understood whole: the host keeps the body until then
	}
	out, err := redact(bufferBytes(responseBody), hidden[roots[context]])
	if err != nil {
		// Something that calls itself JSON and is not: it may hold what must not get out.
		logLine(levelWarn, "the response is not JSON and was removed: "+err.Error())
		out = []byte("null")
	}
	setBuffer(responseBody, out)
	return actionContinue
}

// A reactor's main is never run; the language wants one all the same.
func main() {}
