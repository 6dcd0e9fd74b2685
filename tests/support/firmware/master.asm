; What stands in the first 440 bytes of an MBR disk: it does what Microsoft's does, and tells so on the serial port.
; The partition that is marked as active, the only one, is read, its signature compared, and started.
; Source: Microsoft's description of the MBR; the int 13h extensions (Phoenix, "BIOS Enhanced Disk Drive", 3.0).

bits 16
org 0x600
%define LOADED 0x7c00
%define TABLE 0x600 + 446
%define ACTIVE 0x80

        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, LOADED
        mov si, LOADED                  ; to its own place: the volume's sector comes where this one is
        mov di, 0x600
        mov cx, 512
        cld
        rep movsb
        jmp 0:begin
begin:  sti
        mov si, started
        call print
        xor bx, bx                      ; the active entry
        mov si, TABLE
        mov cx, 4
next:   cmp byte [si], ACTIVE
        jne other
        test bx, bx
        jnz twice
        mov bx, si
other:  add si, 16
        loop next
        test bx, bx
        jz none
        mov eax, [bx + 8]               ; its first sector
        mov [packet + 8], eax
        mov si, packet
        mov ah, 0x42
        int 0x13
        jc unread
        cmp word [LOADED + 510], 0xaa55
        jne unsigned
        mov si, bx
        jmp 0:LOADED                    ; dl is the disk still
twice:  mov si, invalid
        jmp fail
none:   mov si, inactive
        jmp fail
unread: mov si, error
        jmp fail
unsigned:
        mov si, no_system
fail:   call print
%include "power_off.inc"
%include "print.inc"

started   db "MBR", 13, 10, 0
invalid   db "Invalid partition table", 13, 10, 0
inactive  db "no active partition", 13, 10, 0
error     db "Error loading operating system", 13, 10, 0
no_system db "Missing operating system", 13, 10, 0
align 4
packet  dw 16, 1, LOADED, 0             ; its length, sectors, where to: offset and segment
        dq 0                            ; from which sector
%if $ - $$ > 440
%error "no room before the disk's signature"
%endif
