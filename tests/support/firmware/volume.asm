; The boot code of an NTFS volume: behind its description in the first sector, and the sector behind that.
; As Microsoft's, it reads the rest of itself from the disk, at the sector that the "hidden sectors" say, and one.
; The second sector begins with the name of the file that would come next, as Windows writes it.

bits 16
org 0x7c54
%define HIDDEN 0x7c1c
%define NEXT 0x7e00
%define NAME_LENGTH 16

        xor ax, ax
        mov ds, ax
        mov es, ax
        cld
        mov si, started
        call print
        mov ebx, [HIDDEN]
        mov cx, 8
digit:  rol ebx, 4
        mov al, bl
        and al, 15
        add al, "0"
        cmp al, "9"
        jbe figure
        add al, "a" - "9" - 1
figure: call letter
        loop digit
        mov si, line
        call print
        mov eax, [HIDDEN]
        inc eax
        mov [packet + 8], eax
        mov si, packet
        mov ah, 0x42
        int 0x13
        jc lost
        mov si, NEXT + 2
        mov di, name
        mov cx, 14
        repe cmpsb
        jne lost
        jmp NEXT + NAME_LENGTH
lost:   mov si, error
        call print
%include "power_off.inc"
%include "print.inc"

started db "volume at sector ", 0
line    db 13, 10, 0
error   db "A disk read error occurred", 13, 10, 0
name    dw "B", "O", "O", "T", "M", "G", "R"
align 4
packet  dw 16, 1, NEXT, 0
        dq 0
        times 510 - 0x54 - ($ - $$) db 0x90
        dw 0xaa55
second: dw 7, "B", "O", "O", "T", "M", "G", "R"
%ifdef PROMPT                           ; as if Windows had started: it waits
        mov si, prompt
        call print
        cli
stay:   hlt
        jmp stay
prompt  db "SAC>", 0
%endif
        mov si, whole
        call print
%include "power_off.inc"
whole   db "boot code is whole", 13, 10, 0
        times 1024 - 0x54 - ($ - $$) db 0
