# Add-Finding notes one thing that was looked at: "ok", "REFUSES" when it alone explains a refusal, or "look" when a
# person has to judge it.
$script:Findings = @()
function Add-Finding {
    param([string]$Subject, [string]$State, [string]$What, [string]$Remedy = '')

    $script:Findings += New-Object -TypeName PSObject -Property @{ Subject = $Subject; State = $State; What = $What; Remedy = $Remedy }
}

# Test-Thing runs a look and notes it when that fails, so that one missing permission does not end the whole check.
function Test-Thing {
    param([string]$Subject, [string]$Name, [scriptblock]$Look)

    try {
        & $Look
    }
    catch {
        Add-Finding $Subject 'look' "$Name could not be looked at: $($_.Exception.Message)"
    }
}

function Show-Findings {
    $script:Findings | Select-Object -Property @('State', 'Subject', 'What') | Format-Table -AutoSize -Wrap | Out-String -Width 200 | Write-Host
    $refusals = @($script:Findings | Where-Object { $_.State -eq 'REFUSES' })
    foreach ($finding in $refusals) {
        Write-Host "$($finding.Subject): $($finding.What)"
        Write-Host "    $($finding.Remedy)"
    }
    if ($refusals.Count -eq 0) {
        Write-Host 'Nothing here explains a refusal. Changes act late: after 30 minutes to 24 hours.'
    }
}

# Test-UserAgent looks at the older lists, which go by user agent, of the organization or of a mailbox.
function Test-UserAgent {
    param([string]$Subject, $Settings)

    $policy = [string]$Settings.EwsApplicationAccessPolicy
    $allowed = @($Settings.EwsAllowList | Where-Object { $null -ne $_ -and $UserAgent -like $_ }).Count -gt 0
    $blocked = @($Settings.EwsBlockList | Where-Object { $null -ne $_ -and $UserAgent -like $_ }).Count -gt 0
    if ($policy -eq 'EnforceAllowList' -and -not $allowed) {
        Add-Finding $Subject 'REFUSES' "EwsApplicationAccessPolicy is EnforceAllowList, and EwsAllowList names no user agent like $UserAgent" 'topic allow-list'
    }
    elseif ($policy -eq 'EnforceBlockList' -and $blocked) {
        Add-Finding $Subject 'REFUSES' "EwsBlockList names $UserAgent" 'take it off the list'
    }
    else {
        Add-Finding $Subject 'ok' "lists of user agents: $(Format-Setting $Settings.EwsApplicationAccessPolicy)"
    }
}

# Test-Switch looks at EwsEnabled of the organization or of a mailbox; one False is enough to refuse.
function Test-Switch {
    param([string]$Subject, $Settings, [string]$Remedy)

    if ($Settings.EwsEnabled -eq $false) {
        Add-Finding $Subject 'REFUSES' 'EwsEnabled is False' $Remedy
    }
    else {
        Add-Finding $Subject 'ok' "EwsEnabled is $(Format-Setting $Settings.EwsEnabled)"
    }
}

# Test-Delegate looks at the service user's rights on the folders that it needs.
function Test-Delegate {
    param([string]$Address)

    foreach ($type in 'Calendar', 'DeletedItems', 'Drafts') {
        $folder = Find-Folder $Address $type
        $rights = @(Get-Rights $folder)
        if (@($rights | Where-Object { @('Editor', 'PublishingEditor', 'Owner') -contains $_ }).Count -gt 0) {
            Add-Finding $folder 'ok' "$ServiceUser is $($rights -join ', ')"
        }
        else {
            Add-Finding $folder 'REFUSES' "$ServiceUser is not Editor: $($rights -join ', ')" 'topic delegate'
        }
    }
}
