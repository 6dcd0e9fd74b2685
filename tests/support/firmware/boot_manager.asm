; A boot manager of UEFI: a PE32+ program that tells on the serial port what the firmware shows it.
; Started as \EFI\Boot\bootx64.efi it starts \EFI\Microsoft\Boot\bootmgfw.efi of its volume; as that it reads the boot
; store beside it, and prints its length and its hash (FNV-1a, 64 bits). With LAST it switches the machine off instead; with PROMPT it ends at a prompt.
; It ends with "not found", so that the firmware goes on to the next disk.
; Sources: UEFI specification 2.10, 4.3 (tables), 7.4 (images), 13.5 (files), 10.3 (device paths); Microsoft, "PE Format".

bits 64
default rel
org 0

%define HANDLE_PROTOCOL 0x98            ; in the table of boot services
%define LOAD_IMAGE 0xc8
%define START_IMAGE 0xd0
%define DEVICE 0x18                     ; in a loaded image's description
%define FILE_PATH 0x20
%define OPEN_VOLUME 8                   ; of a file system
%define OPEN 8                          ; of a file
%define READ 0x20
%define NOT_FOUND 0x800000000000000e
%define PE 0x80
%define HEADERS 0x400
%define PAGE 0x1000
%define PIECE 4096

        db "MZ"
        times 0x3c - ($ - $$) db 0
        dd PE
        times PE - ($ - $$) db 0
        db "PE", 0, 0
        dw 0x8664, 1                    ; x64, one section
        dd 0, 0, 0
        dw 240, 0x22                    ; length of what follows; a program, for any address
        dw 0x20b, 14
        dd SIZE, 0, 0, PAGE, PAGE
        dq 0
        dd PAGE, 0x200
        dw 0, 0, 0, 0, 0, 0
        dd 0, PAGE + MEMORY, HEADERS, 0
        dw 10, 0                        ; an application of EFI
        dq 1 << 20, PAGE, 1 << 20, PAGE
        dd 0, 16
        times 16 dq 0
        db ".text", 0, 0, 0
        dd MEMORY, PAGE, SIZE, HEADERS, 0, 0, 0, 0xe0000020
        times HEADERS - ($ - $$) db 0

code:   push rbx
        push rsi
        push rdi
        push r12
        sub rsp, 72
%ifdef LAST
        mov dx, 0x604                   ; QEMU's q35: state S5
        mov ax, 0x2000
        out dx, ax
%endif
        mov r12, rcx                    ; our own image
        mov rbx, [rdx + 0x60]           ; the boot services
        lea rdx, [loaded_image]
        lea r8, [image]
        call [rbx + HANDLE_PROTOCOL]
        test rax, rax
        jnz failed
        mov rsi, [image]
        mov rdi, [rsi + FILE_PATH]
        cmp word [rdi + 4 + 2 * 5], "M" ; the sixth letter of the path by which we were started
        je manager
        cmp word [rdi + 4 + 2 * 5], "m"
        je manager

        lea rsi, [fallback_name]
        call print
        mov rsi, [image]
        mov rcx, [rsi + DEVICE]
        lea rdx, [device_path]
        lea r8, [path]
        call [rbx + HANDLE_PROTOCOL]
        test rax, rax
        jnz failed
        mov rsi, [path]
        lea rdi, [whole_path]
        cld
node:   cmp byte [rsi], 0x7f            ; the path's end
        je joined
        movzx ecx, word [rsi + 2]
        rep movsb
        jmp node
joined: lea rsi, [manager_node]
        mov ecx, MANAGER_NODE
        rep movsb
        xor ecx, ecx
        mov rdx, r12
        lea r8, [whole_path]
        xor r9d, r9d
        mov qword [rsp + 32], 0
        lea rax, [other]
        mov [rsp + 40], rax
        call [rbx + LOAD_IMAGE]
        test rax, rax
        jnz failed
        mov rcx, [other]
        xor edx, edx
        xor r8d, r8d
        call [rbx + START_IMAGE]
        jmp done

manager:
        lea rsi, [manager_name]
        call print
        mov rsi, [image]
        mov rcx, [rsi + DEVICE]
        lea rdx, [file_system]
        lea r8, [volume]
        call [rbx + HANDLE_PROTOCOL]
        test rax, rax
        jnz failed
        mov rcx, [volume]
        lea rdx, [root]
        call [rcx + OPEN_VOLUME]
        test rax, rax
        jnz failed
        mov rcx, [root]
        lea rdx, [file]
        lea r8, [store]
        mov r9d, 1                      ; to read
        mov qword [rsp + 32], 0
        call [rcx + OPEN]
        test rax, rax
        jnz failed
        mov rdi, 0xcbf29ce484222325     ; the hash of nothing
        xor r12d, r12d                  ; bytes read
read:   mov rcx, [file]
        mov qword [count], PIECE
        lea rdx, [count]
        lea r8, [piece]
        call [rcx + READ]
        test rax, rax
        jnz failed
        mov rcx, [count]
        test rcx, rcx
        jz told
        add r12, rcx
        lea rsi, [piece]
        mov rdx, 0x100000001b3
hash:   movzx eax, byte [rsi]
        xor rdi, rax
        imul rdi, rdx
        inc rsi
        dec rcx
        jnz hash
        jmp read
told:   lea rsi, [store_name]
        call print
        mov rax, r12
        call number
        lea rsi, [space]
        call print
        mov rax, rdi
        call number
        lea rsi, [line]
        call print
%ifdef PROMPT                           ; as if Windows had started: it waits
        lea rsi, [prompt]
        call print
        cli
stay:   hlt
        jmp stay
%endif
        jmp done

failed: mov rdi, rax
        lea rsi, [error]
        call print
        mov rax, rdi
        call number
        lea rsi, [line]
        call print
done:   mov rax, NOT_FOUND
        add rsp, 72
        pop r12
        pop rdi
        pop rsi
        pop rbx
        ret

; Prints rax in sixteen hexadecimal digits. Changes rax, rcx and rdx.
number: mov rcx, 16
digit:  rol rax, 4
        push rax
        and al, 15
        add al, "0"
        cmp al, "9"
        jbe figure
        add al, "a" - "9" - 1
figure: call letter
        pop rax
        dec rcx
        jnz digit
        ret

%include "print.inc"

align 8
loaded_image dd 0x5b1b31a1
        dw 0x9562, 0x11d2
        db 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b
device_path dd 0x09576e91
        dw 0x6d3f, 0x11d2
        db 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b
file_system dd 0x964e5b22
        dw 0x6459, 0x11d2
        db 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b
store   dw __utf16__("\EFI\Microsoft\Boot\BCD"), 0
manager_node:
        db 4, 4                         ; a path of a file
        dw path_end - manager_node
        dw __utf16__("\EFI\Microsoft\Boot\bootmgfw.efi"), 0
path_end:
        db 0x7f, 0xff, 4, 0
MANAGER_NODE equ $ - manager_node
fallback_name db "bootx64.efi", 13, 10, 0
manager_name db "bootmgfw.efi", 13, 10, 0
store_name db "BCD ", 0
space   db " ", 0
line    db 13, 10, 0
error   db "error ", 0
prompt  db "SAC>", 0
        times (0x200 - ($ - $$) % 0x200) % 0x200 db 0
SIZE    equ $ - $$ - HEADERS

section .bss align=1                    ; in memory alone, directly behind
zeros:
image   resq 1
path    resq 1
other   resq 1
volume  resq 1
root    resq 1
file    resq 1
count   resq 1
piece   resb PIECE
whole_path resb 512
MEMORY  equ SIZE + $ - zeros
