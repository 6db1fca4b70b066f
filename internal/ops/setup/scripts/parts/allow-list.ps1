# Get-AllowedAppIds returns the list of apps, one id each and in one form. Exchange gives it only when asked by this
# switch, as one text with commas.
function Get-AllowedAppIds {
    $config = Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy -ErrorAction Stop
    if ($null -eq $config.PSObject.Properties['EwsAllowedAppIDs']) {
        throw 'Exchange shows no EwsAllowedAppIDs: your account may not see it, or this organization does not have it.'
    }
    foreach ($id in (@($config.EwsAllowedAppIDs) -join ',') -split ',') {
        if ($id.Trim()) {
            ([guid]$id.Trim()).ToString()
        }
    }
}
