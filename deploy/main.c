/* The program. Everything is in command.c, so that tests can run commands too. */
#include "deploy/command.h"
#include "proto/error.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN); /* a server that hangs up is an error of the write, not our end */
    drover_error_quark();
    return command_main(argc, argv, stdout, stderr);
}
