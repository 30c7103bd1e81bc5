// Command winedll writes the bcryptprimitives.dll that programs made by Go load at
// their start and that Wine 8 lacks. The DLL has no code. It
// forwards ProcessPrng to SystemFunction036 of advapi32.dll, which takes the same
// arguments.
package main

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"os"
)

const (
	section = 0x1000 // the address of the only section, which is one page
	headers = 0x200  // the size of what stands before it in the file
)

// exports is the section: an export directory with one name, and its strings.
type exports struct {
	Characteristics, TimeDateStamp        uint32
	MajorVersion, MinorVersion            uint16
	Name, Base, Functions, Names          uint32
	FunctionsAt, NamesAt, OrdinalsAt      uint32
	Function, FunctionName, FunctionOrder uint32
	DLL                                   [24]byte
	Exported                              [16]byte
	Forward                               [32]byte
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: winedll FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], dll(), 0o600); err != nil { //nolint:gosec // the caller names it
		fmt.Fprintln(os.Stderr, "winedll:", err)
		os.Exit(1)
	}
}

func dll() []byte {
	e := exports{Base: 1, Functions: 1, Names: 1}
	const tables = section + 40 // behind the directory
	e.FunctionsAt, e.NamesAt, e.OrdinalsAt = tables, tables+4, tables+8
	const texts = tables + 12
	e.Name, e.FunctionName, e.Function = texts, texts+24, texts+40
	copy(e.DLL[:], "bcryptprimitives.dll")
	copy(e.Exported[:], "ProcessPrng")
	copy(e.Forward[:], "advapi32.SystemFunction036") // an address within the directory is a forward

	size := uint32(binary.Size(e)) //nolint:gosec // it is small
	optional := pe.OptionalHeader64{
		Magic: 0x20b, ImageBase: 0x180000000, SectionAlignment: section, FileAlignment: headers,
		MajorSubsystemVersion: 6, SizeOfImage: 2 * section, SizeOfHeaders: headers, SizeOfInitializedData: headers,
		Subsystem: pe.IMAGE_SUBSYSTEM_WINDOWS_CUI, NumberOfRvaAndSizes: 16,
		DllCharacteristics: pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
	}
	optional.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT] = pe.DataDirectory{VirtualAddress: section, Size: size}
	var out bytes.Buffer
	for _, part := range []any{
		[60]byte{'M', 'Z'},
		uint32(64), // the DOS header, which says where the next one stands
		[4]byte{'P', 'E'},
		pe.FileHeader{
			Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: 240,
			Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE | pe.IMAGE_FILE_LARGE_ADDRESS_AWARE | pe.IMAGE_FILE_DLL,
		},
		optional,
		pe.SectionHeader32{
			Name: [8]byte{'.', 'r', 'd', 'a', 't', 'a'}, VirtualSize: size, VirtualAddress: section,
			SizeOfRawData: headers, PointerToRawData: headers,
			Characteristics: pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ,
		},
	} {
		_ = binary.Write(&out, binary.LittleEndian, part)
	}
	out.Write(make([]byte, headers-out.Len()))
	_ = binary.Write(&out, binary.LittleEndian, e)
	out.Write(make([]byte, 2*headers-out.Len()))
	return out.Bytes()
}
