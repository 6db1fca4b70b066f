# Invoke-Step makes one change. Without -Apply it only says which; -WhatIf and -Confirm work as usual with -Apply.
$script:Changes = 0
$script:Failures = @()
function Invoke-Step {
    param([string]$Target, [string]$Action, [scriptblock]$Change)

    $script:Changes++
    if (-not $Apply) {
        Write-Host "would: $Action [$Target]"
        return
    }
    if ($PSCmdlet.ShouldProcess($Target, $Action)) {
        & $Change | Out-Null
        Write-Host "done:  $Action [$Target]"
    }
}

function Write-Fine {
    param([string]$Target, [string]$Text)

    Write-Host "fine:  $Text [$Target]"
}

# Add-Failure notes what did not work; the script goes on with the next and fails at its end.
function Add-Failure {
    param([string]$Target, [string]$Text)

    Write-Warning "${Target}: $Text"
    $script:Failures += $Target
}

function Complete-Script {
    if ($script:Failures.Count -gt 0) {
        throw "$($script:Failures.Count) did not work: $($script:Failures -join ', ')"
    }
    if ($script:Changes -eq 0) {
        Write-Host 'There is nothing to change.'
    }
    elseif (-not $Apply) {
        Write-Host "$($script:Changes) change(s) to make. Nothing was changed; run the script again with -Apply."
    }
}
