package main

import "unsafe"

const (
	responseHeaders     = 2
	responseBody        = 1
	pluginConfiguration = 7
	levelWarn           = 3
	levelError          = 4
	actionContinue      = 0
	actionPause         = 1
	everything          = 0xffffffff
)

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// The host writes the address of the block into a Go pointer (see taken) before it returns to us, and no Go code runs
// in between: so the collector never sees the block without an owner.
//
//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(make([]byte, size)))
}

//go:wasmimport env proxy_log
func proxyLog(level uint32, text unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(buffer, start, max uint32, value, size unsafe.Pointer) uint32

//go:wasmimport env proxy_set_buffer_bytes
func proxySetBufferBytes(buffer, start, length uint32, data unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(m uint32, key unsafe.Pointer, keySize uint32, value, size unsafe.Pointer) uint32

//go:wasmimport env proxy_remove_header_map_value
func proxyRemoveHeaderMapValue(m uint32, key unsafe.Pointer, keySize uint32) uint32

// taken receives data from the host: the two cells that a call fills.
type taken struct {
	at   *byte
	size uint32
}

func (t *taken) bytes() []byte { return unsafe.Slice(t.at, t.size) }

func of(text string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(text)), uint32(len(text))
}

func logLine(level uint32, text string) {
	at, size := of(text)
	proxyLog(level, at, size)
}

func bufferBytes(buffer uint32) []byte {
	t := new(taken)
	if proxyGetBufferBytes(buffer, 0, everything, unsafe.Pointer(&t.at), unsafe.Pointer(&t.size)) != 0 {
		return nil
	}
	return t.bytes()
}

func setBuffer(buffer uint32, data []byte) {
	proxySetBufferBytes(buffer, 0, everything, unsafe.Pointer(unsafe.SliceData(data)), uint32(len(data)))
}

// header gives the value, or "" when there is none.
func header(m uint32, name string) string {
	t := new(taken)
	at, size := of(name)
	if proxyGetHeaderMapValue(m, at, size, unsafe.Pointer(&t.at), unsafe.Pointer(&t.size)) != 0 {
		return ""
	}
	return string(t.bytes())
}

func removeHeader(m uint32, name string) {
	at, size := of(name)
	proxyRemoveHeaderMapValue(m, at, size)
}
