# bash completion for nitroctl. Made by: nitroctl completion bash
_nitroctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd="" word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $word == -* ]] && continue
        case "$cmd" in
            "") cmd=$word ;;
            "enclave" | "eif" | "pcr" | "attest" | "kms" | "allocator" | "config") cmd="$cmd $word" ;;
            *) break ;;
        esac
    done
    case "$cmd $prev" in
        "init --name") return ;;
        "init --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "init --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "enclave build --docker-uri") return ;;
        "enclave build --output-file") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave build --output") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave build --docker-dir") mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "enclave build --signing-certificate") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave build --private-key") return ;;
        "enclave build --name") return ;;
        "enclave build --image-version") return ;;
        "enclave build --metadata") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave build --component") return ;;
        "enclave build --environment") return ;;
        "enclave build --release") return ;;
        "enclave build --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave build --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "enclave build --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "enclave run --eif-path") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave run --memory") return ;;
        "enclave run --cpu-count") return ;;
        "enclave run --cpu-ids") return ;;
        "enclave run --enclave-cid") return ;;
        "enclave run --enclave-name") return ;;
        "enclave run --component") return ;;
        "enclave run --environment") return ;;
        "enclave run --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave run --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "enclave run --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "enclave describe --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "enclave describe --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "enclave describe --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "enclave console --disconnect-timeout") return ;;
        "enclave console --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "enclave console --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "enclave terminate --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "enclave terminate --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "eif measure --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "eif measure --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "eif inspect --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "eif inspect --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr record --component") return ;;
        "pcr record --environment") return ;;
        "pcr record --release") return ;;
        "pcr record --eif") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "pcr record --measurements") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "pcr record --pcr") return ;;
        "pcr record --pin") return ;;
        "pcr record --source-uri") return ;;
        "pcr record --source-ref") return ;;
        "pcr record --source-commit") return ;;
        "pcr record --notes") return ;;
        "pcr record --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "pcr record --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr record --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr list --component") return ;;
        "pcr list --environment") return ;;
        "pcr list --status") mapfile -t COMPREPLY < <(compgen -W "candidate active retired revoked" -- "$cur"); return ;;
        "pcr list --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "pcr list --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr list --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr show --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "pcr show --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr show --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr check --eif") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "pcr check --pcr") return ;;
        "pcr check --component") return ;;
        "pcr check --environment") return ;;
        "pcr check --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "pcr check --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr check --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr role --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr role --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr instance --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr instance --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr certificate --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr certificate --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "pcr file --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "pcr file --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "attest show --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "attest show --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "attest verify --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "attest verify --pcr") return ;;
        "attest verify --nonce") return ;;
        "attest verify --at") return ;;
        "attest verify --max-age") return ;;
        "attest verify --root") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "attest verify --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "attest verify --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "kms generate --enclave-role") return ;;
        "kms generate --admin-role") return ;;
        "kms generate --policy-writer") return ;;
        "kms generate --component") return ;;
        "kms generate --environment") return ;;
        "kms generate --action") return ;;
        "kms generate --encryption-context") return ;;
        "kms generate --output") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "kms generate --records") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "kms generate --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "kms generate --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "allocator show --file") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "allocator show --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "allocator show --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "allocator check --file") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "allocator check --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "allocator check --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "allocator set --memory-mib") return ;;
        "allocator set --cpu-count") return ;;
        "allocator set --cpu-pool") return ;;
        "allocator set --file") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "allocator set --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "allocator set --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "config show --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "config show --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "explain --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "explain --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "schema --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "schema --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "completion --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "completion --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
        "demo --keep") mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "demo --format") mapfile -t COMPREPLY < <(compgen -W "human json sarif junit github" -- "$cur"); return ;;
        "demo --color") mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
    esac
    if [[ $cur == -* ]]; then
        case "$cmd" in
            "init") mapfile -t COMPREPLY < <(compgen -W "--name --force --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "enclave build") mapfile -t COMPREPLY < <(compgen -W "--docker-uri --output-file --output --docker-dir --signing-certificate --private-key --name --image-version --metadata --record --activate --component --environment --release --records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "enclave run") mapfile -t COMPREPLY < <(compgen -W "--eif-path --memory --cpu-count --cpu-ids --enclave-cid --enclave-name --debug-mode --attach-console --require-recorded --component --environment --records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "enclave describe") mapfile -t COMPREPLY < <(compgen -W "--records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "enclave console") mapfile -t COMPREPLY < <(compgen -W "--disconnect-timeout --raw --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "enclave terminate") mapfile -t COMPREPLY < <(compgen -W "--all --include-acm --yes --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "eif measure") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "eif inspect") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr record") mapfile -t COMPREPLY < <(compgen -W "--component --environment --release --eif --measurements --pcr --pin --activate --source-uri --source-ref --source-commit --notes --records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr list") mapfile -t COMPREPLY < <(compgen -W "--component --environment --status --records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr show") mapfile -t COMPREPLY < <(compgen -W "--records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr check") mapfile -t COMPREPLY < <(compgen -W "--eif --pcr --component --environment --records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr role") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr instance") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr certificate") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "pcr file") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "attest show") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "attest verify") mapfile -t COMPREPLY < <(compgen -W "--records --pcr --nonce --at --max-age --root --allow-debug --authenticity-only --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "kms generate") mapfile -t COMPREPLY < <(compgen -W "--enclave-role --admin-role --policy-writer --component --environment --action --encryption-context --compact --output --records --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "allocator show") mapfile -t COMPREPLY < <(compgen -W "--file --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "allocator check") mapfile -t COMPREPLY < <(compgen -W "--file --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "allocator set") mapfile -t COMPREPLY < <(compgen -W "--memory-mib --cpu-count --cpu-pool --file --repair --yes --dry-run --check --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "config show") mapfile -t COMPREPLY < <(compgen -W "--origin --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "explain") mapfile -t COMPREPLY < <(compgen -W "--list --json --format --color --quiet --debug --help" -- "$cur"); ;;
            "schema") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "completion") mapfile -t COMPREPLY < <(compgen -W "--json --format --color --quiet --debug --help" -- "$cur"); ;;
            "demo") mapfile -t COMPREPLY < <(compgen -W "--keep --json --format --color --quiet --debug --help" -- "$cur"); ;;
            *) mapfile -t COMPREPLY < <(compgen -W "--help --version" -- "$cur") ;;
        esac
        return
    fi
    case "$cmd" in
        "") mapfile -t COMPREPLY < <(compgen -W "init enclave eif pcr attest kms allocator config explain schema completion demo" -- "$cur") ;;
        "init") mapfile -t COMPREPLY < <(compgen -d -- "$cur"); ;;
        "eif measure") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        "eif inspect") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        "pcr certificate") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        "pcr file") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        "attest show") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        "attest verify") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        "completion") mapfile -t COMPREPLY < <(compgen -W "bash zsh fish" -- "$cur"); ;;
        "enclave") mapfile -t COMPREPLY < <(compgen -W "build run describe console terminate" -- "$cur"); ;;
        "eif") mapfile -t COMPREPLY < <(compgen -W "measure inspect" -- "$cur"); ;;
        "pcr") mapfile -t COMPREPLY < <(compgen -W "record list show check role instance certificate file" -- "$cur"); ;;
        "attest") mapfile -t COMPREPLY < <(compgen -W "show verify" -- "$cur"); ;;
        "kms") mapfile -t COMPREPLY < <(compgen -W "generate" -- "$cur"); ;;
        "allocator") mapfile -t COMPREPLY < <(compgen -W "show check set" -- "$cur"); ;;
        "config") mapfile -t COMPREPLY < <(compgen -W "show" -- "$cur"); ;;
    esac
}
complete -o filenames -F _nitroctl nitroctl
