; Reads two signed numbers with plain system calls and writes their sum.
        global  _start

        section .bss
text:   resb    128

        section .text
; rsi: where a number begins. Returns it in rax, rsi behind it.
number: xor     eax, eax
        xor     ebx, ebx
        cmp     byte [rsi], '-'
        jne     .digit
        inc     ebx
        inc     rsi
.digit: movzx   ecx, byte [rsi]
        inc     rsi
        sub     ecx, '0'
        jb      .end
        imul    rax, rax, 10
        add     rax, rcx
        jmp     .digit
.end:   test    ebx, ebx
        jz      .done
        neg     rax
.done:  ret

_start: xor     eax, eax                ; read
        xor     edi, edi
        lea     rsi, [rel text]
        mov     edx, 127
        syscall
        lea     rsi, [rel text]
        call    number
        mov     r12, rax
        call    number
        add     rax, r12

        lea     rsi, [rel text + 127]   ; digits, from the last one
        mov     byte [rsi], 10
        xor     r12d, r12d
        test    rax, rax
        jns     .next
        inc     r12d
        neg     rax
.next:  xor     edx, edx
        mov     ecx, 10
        div     rcx
        add     dl, '0'
        dec     rsi
        mov     [rsi], dl
        test    rax, rax
        jnz     .next
        test    r12d, r12d
        jz      .write
        dec     rsi
        mov     byte [rsi], '-'
.write: lea     rdx, [rel text + 128]
        sub     rdx, rsi
        mov     eax, 1                  ; write
        mov     edi, 1
        syscall
        mov     eax, 60                 ; exit
        xor     edi, edi
        syscall
