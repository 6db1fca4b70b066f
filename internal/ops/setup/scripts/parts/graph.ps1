# Start-GraphSession connects to Microsoft Graph with the permissions that the script needs, and to no other tenant.
function Start-GraphSession {
    param([string[]]$Scopes)

    $context = Get-MgContext
    $missing = @($Scopes | Where-Object { $null -eq $context -or $context.Scopes -notcontains $_ })
    if ($missing.Count -gt 0) {
        Connect-MgGraph -TenantId $TenantId -Scopes $Scopes -NoWelcome -ErrorAction Stop
        $context = Get-MgContext
    }
    $wanted = [guid]::Empty
    if ([guid]::TryParse($TenantId, [ref]$wanted) -and [string]$context.TenantId -ne $wanted.ToString()) {
        throw "This session is connected to the tenant $($context.TenantId), not to ${TenantId}: Disconnect-MgGraph first."
    }
}
