# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mrctl_global_optspecs
    string join \n inventory= state-dir= mirror-dir= output= color= h/help V/version
end

function __fish_mrctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mrctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mrctl_using_subcommand
    set -l cmd (__fish_mrctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mrctl -n "__fish_mrctl_needs_command" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_needs_command" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_needs_command" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_needs_command" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_needs_command" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_needs_command" -s V -l version -d 'Print version'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "failover" -d 'Execute a runbook: move an application from one region to another'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "failback" -d 'Go back to where a finished run came from'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "drill" -d 'Practise a runbook; with --dry-run look at everything and change nothing'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "rehearse" -d 'Try every way in which a runbook can go wrong, in a simulated world'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "status" -d 'Tell what is true now: regions, resources, open runs'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "heartbeat" -d 'Write heartbeats, so that an unplanned failover counts what it loses'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "resume" -d 'Go on with an open run'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "rollback" -d 'Take back what an open run changed; only before a promotion'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "step" -d 'Decide about one step of a run that stands still'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "abandon" -d 'Close an open run as it is'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "runs" -d 'List runs'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "audit" -d 'Read the journal of a run'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "export" -d 'Copy a run into one file, for another host'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "import" -d 'Bring an exported run here'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "check" -d 'Check runbooks and inventory without connecting'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "kinds" -d 'List kinds of steps, or tell everything of one'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "explain" -d 'Explain an error code'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "schema" -d 'Print a JSON Schema, for editors'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "init" -d 'Write a commented inventory and runbooks to begin with'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "haproxy" -d 'Keep users from a server at HAProxy, or tell whether they are: for `fence` and `fenced` of a member'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "lab" -d 'Two real regions on this machine'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c mrctl -n "__fish_mrctl_needs_command" -f -a "man" -d 'Print the manual page'
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l runbook -d 'The runbook' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l from -d 'Region to leave; found out if exactly one primary is seen' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l to -d 'Region to move to; needed with more than two regions, and without a terminal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l set -d 'A parameter of the runbook' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l mode -d 'Whether the source is expected to answer' -r -f -a "planned\t'The source answers; nothing is lost'
unplanned\t'The source is gone'"
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l approve -d 'An approval given beforehand: role:NAME or step:ID. Consent to a promotion needs its step by name and --plan-digest; what an unplanned one loses needs loss:ID, too' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l plan-digest -d 'Digest of the plan that was approved, from `mrctl drill --dry-run`' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l rehearsal-waived -d 'Go on without the rehearsal that the inventory demands; why is recorded' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l reason -d 'Why, for the journal: needed where it is unplanned, goes back soon after the last one, or leaves a data set that is unprotected' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l since -d 'When the incident was declared: a time such as 2026-11-28T21:14:00Z, or how long ago, such as 12m. The recovery time counts from it' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l in-spite-of -d 'Go on, with a --reason, in spite of what holds the move up, by its name as the refusal prints it, such as unprotected:orders' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l fenced -d 'A member that you vouch for as fenced: it cannot take writes, and cannot come back by itself. Written into the journal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l destroyed -d 'A member that you vouch for as destroyed' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l waive -d 'Pass this check, should it be red, and record why; may be given several times. Never for what proves who a server is, or that nothing is lost' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l yes -d 'Answer checklists and confirmations with yes; never the consent to a promotion'
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -l dry-run -d 'Look at everything, change nothing: the same as `mrctl drill --dry-run`'
complete -c mrctl -n "__fish_mrctl_using_subcommand failover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l runbook -d 'The runbook; that of the run is found beside the inventory if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l reason -d 'Why: for the journal, and needed soon after the run, or where the runbook was changed since' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l in-spite-of -d 'Go on, with a --reason, in spite of what holds the move up, by its name as the refusal prints it, such as unprotected:orders' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l approve -d 'An approval given beforehand: role:NAME or step:ID. Consent to a promotion needs its step by name and --plan-digest; what an unplanned one loses needs loss:ID, too' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l plan-digest -d 'Digest of the plan that was approved, from `mrctl drill --dry-run`' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l rehearsal-waived -d 'Go on without the rehearsal that the inventory demands; why is recorded' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l dry-run -d 'Look at everything, change nothing'
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -l yes -d 'Answer checklists and confirmations with yes; never the consent to a promotion'
complete -c mrctl -n "__fish_mrctl_using_subcommand failback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l runbook -d 'The runbook' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l from -d 'Region to leave; found out if exactly one primary is seen' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l to -d 'Region to move to; needed with more than two regions, and without a terminal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l set -d 'A parameter of the runbook' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l mode -d 'Whether the source is expected to answer' -r -f -a "planned\t'The source answers; nothing is lost'
unplanned\t'The source is gone'"
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -l dry-run -d 'Look at every step read-only and say what it would change'
complete -c mrctl -n "__fish_mrctl_using_subcommand drill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l from -d 'Region to leave; every direction that the inventory can serve if not given' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l to -d 'Region to move to' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l mode -d 'Whether the source answers: an unplanned run is rehearsed with one that is dead, that hangs, and that only some can reach' -r -f -a "planned\t'The source answers; nothing is lost'
unplanned\t'The source is gone'"
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l set -d 'A parameter of the runbook' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l faults -d 'Faults in one schedule up to which everything is tried' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l replay -d 'Show one counterexample with everything that happens in it, and what is true after each happening; step by step at a terminal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l report -d 'Also write what was found for other programs: sarif=FILE or junit=FILE' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l accept-not-covered -d 'A step whose effect the model cannot know, and with which that is accepted' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l deep -d 'Up to three faults: takes longer'
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l all -d 'Show all counterexamples'
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l from-live -d 'Start from what is true now: look at the real systems once, read-only, and rehearse pressing the button at this moment'
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l real -d 'Cause the counterexample for real, on a lab of its own with real servers. Never touches what the inventory names'
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -l no-certificate -d 'Keep no certificate of a rehearsal that finds nothing'
complete -c mrctl -n "__fish_mrctl_using_subcommand rehearse" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand status" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand status" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand status" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand status" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand status" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand heartbeat" -l count -d 'End after so many tries. The exit code is 0 if the last one was acknowledged' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand heartbeat" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand heartbeat" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand heartbeat" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand heartbeat" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand heartbeat" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand heartbeat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l reason -d 'Why, for the journal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l mode -d 'Take a planned run over as an unplanned one, from where it stands: its source is gone' -r -f -a "planned\t'The source answers; nothing is lost'
unplanned\t'The source is gone'"
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l runbook -d 'The runbook, with --mode unplanned: the plan is made anew from it' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l in-spite-of -d 'Go on, with a --reason, in spite of what holds the move up, by its name as the refusal prints it, such as unprotected:orders' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l fenced -d 'A member that you vouch for as fenced: it cannot take writes, and cannot come back by itself. Written into the journal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l destroyed -d 'A member that you vouch for as destroyed' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l waive -d 'Pass this check, should it be red, and record why; may be given several times. Never for what proves who a server is, or that nothing is lost' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l approve -d 'An approval given beforehand: role:NAME, step:ID, or loss:ID for what an unplanned promotion loses' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l plan-digest -d 'Digest of the plan that was approved' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -l yes -d 'Answer checklists and confirmations with yes; never the consent to a promotion'
complete -c mrctl -n "__fish_mrctl_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l fenced -d 'A member that you vouch for as fenced: it cannot take writes, and cannot come back by itself. Written into the journal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l destroyed -d 'A member that you vouch for as destroyed' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l reason -d 'Why, for the journal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l reason -d 'Why, for the journal' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l skip -d 'Go on without it. Not where a later step relies on it, and not while it may still come about'
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l done -d 'You did it yourself. Looked at, where it can be; else your word is recorded'
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -l retry -d 'Try it again, also if it was left out before. Not where it may have come about and nothing can be looked at'
complete -c mrctl -n "__fish_mrctl_using_subcommand step" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand abandon" -l reason -d 'Why: whoever reads the journal will want to know' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand abandon" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand abandon" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand abandon" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand abandon" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand abandon" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand abandon" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand runs" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand runs" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand runs" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand runs" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand runs" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand runs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -f -a "show" -d 'What happened, line by line; works for a damaged journal up to the damage'
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and not __fish_seen_subcommand_from show verify" -f -a "verify" -d 'Check that nobody changed the journal after it was written'
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from show" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from show" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from show" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from show" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from show" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from show" -l checklist -d 'As the checklist that the operator saw, instead of the timeline'
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l head -d 'A head that was kept elsewhere: shows a cut end, or a journal that was written anew' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand export" -l to -d 'The file to write; must not exist' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand export" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand export" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand export" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand export" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand export" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand import" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand import" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand import" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand import" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand import" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand check" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand check" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand check" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand check" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand check" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand kinds" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand kinds" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand kinds" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand kinds" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand kinds" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand kinds" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand explain" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand explain" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand explain" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand explain" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand explain" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand schema" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand schema" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand schema" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand schema" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand schema" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand init" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand init" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand init" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand init" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand init" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -f -a "close" -d 'Put a server into maintenance at every proxy and end its sessions. Exit code 0 when that was seen at each of them, 75 when nothing was changed, 1 otherwise. Nothing of it is ever taken back by mrctl'
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and not __fish_seen_subcommand_from close look" -f -a "look" -d 'Tell whether users can reach a server. Exit code 0 when it is in maintenance at every proxy and has no session, 3 when one sends users to it and finds it up, or lets its sessions go on; 6 when that cannot be told'
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l at -d 'A proxy\'s runtime API: HOST:PORT, or the path of a socket. Every proxy through which users come' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l server -d 'The server, as HAProxy\'s configuration calls it' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l within -d 'How long each proxy may take. Seconds' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from close" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l at -d 'A proxy\'s runtime API: HOST:PORT, or the path of a socket. Every proxy through which users come' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l server -d 'The server, as HAProxy\'s configuration calls it' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l within -d 'How long each proxy may take. Seconds' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand haproxy; and __fish_seen_subcommand_from look" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "packages" -d 'List the Debian packages that are missing, or install them'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "up" -d 'Bring both regions up'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "down" -d 'Stop everything and delete the data; logs and audit trail stay'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "status" -d 'Tell what runs, which database is primary, where DNS sends users'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "demo" -d 'Watch a failover with users who write: up, load, failover, what they noticed, down'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "load" -d 'Let clients write through DNS and the application, then count what was lost'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "break" -d 'Break something: replay, receiver, startup, primary, freeze-primary, or dns, redis, app of a REGION'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "heal" -d 'Heal what was broken'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "rejoin" -d 'Bring the old primary back as a standby of the new one'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "app" -d 'Run the application of a region'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "command" -d 'Stand in for a command of a runbook'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and not __fish_seen_subcommand_from packages up down status demo load break heal rejoin app command receiver" -f -a "receiver" -d 'Run the receiver of notifications'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from packages" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from packages" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from packages" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from packages" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from packages" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from packages" -l install -d 'Install them (needs root)'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from packages" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from up" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from down" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l yes -d 'Install missing packages first (needs root)'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -l keep -d 'Leave the lab up at the end'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l seconds -d 'How long to write' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l clients -d 'Clients that write through DNS and the application' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l long-writers -d 'Writers that hold a transaction of a second open at the database itself' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from load" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from break" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from heal" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l name -d 'Name of the lab; its folder is made below the state folder' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l dir -d 'Folder of the lab, instead of the one for its name' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l primary -d 'Region of the new primary, if it is known: anything else there is refused, and nothing is done where the other one follows it' -r
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from rejoin" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from app" -l config -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from app" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from app" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from app" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from app" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from app" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from app" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from command" -l socket -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from command" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from command" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from command" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from command" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from command" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from receiver" -l config -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from receiver" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from receiver" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from receiver" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from receiver" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from receiver" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand lab; and __fish_seen_subcommand_from receiver" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand completions" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand completions" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand completions" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand completions" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand completions" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mrctl -n "__fish_mrctl_using_subcommand man" -l inventory -d 'The inventory; if not given, MRCTL_INVENTORY, else found upward from the runbook or the working directory' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand man" -l state-dir -d 'Where runs are kept; MRCTL_STATE_DIR or the XDG state folder if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand man" -l mirror-dir -d 'Where runs are copied to as they go, on a best effort; MRCTL_MIRROR_DIR if not given' -r -F
complete -c mrctl -n "__fish_mrctl_using_subcommand man" -l output -d 'For people or for programs' -r -f -a "text\t'For people'
json\t'For programs: one JSON object a line for runs, one document otherwise'"
complete -c mrctl -n "__fish_mrctl_using_subcommand man" -l color -d 'Whether to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c mrctl -n "__fish_mrctl_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
